"""Answers -> passages: whole sentences packed up to a token limit, each with a header that is embedded but not quoted."""

from collections.abc import Callable, Sequence

from medqa.errors import MedqaError
from medqa.files import sha256_bytes
from medqa.records import Passage, QAPair, Span
from retrieval.sentences import split_sentences

CHUNKER = 1
"""Version of the rules below; part of every index's recipe. Raise it when the same pair would give other passages."""
HEADER_PARTS = ("question", "topic", "synonyms")
HEADER_TOKENS = 96
"""Longest header: holds 95 % of MedQuAD's headers whole (64 would hold 79 %); the mean is then 43 tokens."""

_COUNTED = 1000
"""Pairs whose sentences are counted in one call: tokenizers share a long list out over the cores."""

CountTokens = Callable[[Sequence[str]], list[int]]


def header_parts(setting: str) -> tuple[str, ...]:
    """``"question+topic"`` -> ``("question", "topic")``; ``"none"`` -> ``()``.

    Raises:
        MedqaError: a part that does not exist, or one named twice.
    """
    if setting.strip() == "none":
        return ()
    parts = tuple(p.strip() for p in setting.split("+"))
    bad = [p for p in parts if p not in HEADER_PARTS]
    if bad or len(set(parts)) != len(parts):
        raise MedqaError(
            f"wanted passages.header as parts of {', '.join(HEADER_PARTS)} joined by +, or none; found {setting!r}"
        )
    return parts


def make_passages(
    pairs: Sequence[QAPair],
    header_parts: Sequence[str],
    count_tokens: CountTokens,
    max_tokens: int,
    encoder_limit: int,
) -> list[Passage]:
    """Passages of all answers, in the order of ``pairs``. Equal input gives equal passages and ids.

    Args:
        pairs: their answers' white space may be anything; in a passage it is single spaces.
        header_parts: see ``header_parts()``.
        count_tokens: the encoder's.
        max_tokens: longest text of a passage.
        encoder_limit: longest header and text together, both in the encoder's tokens without specials.

    Raises:
        MedqaError: ``max_tokens`` beyond the encoder's limit, or a passage that the encoder would truncate.
    """
    if max_tokens > encoder_limit:
        raise MedqaError(
            f"wanted passages.max_tokens of at most {encoder_limit} (the encoder's limit), found {max_tokens}"
        )
    answers = _sentences(pairs, count_tokens, max_tokens)
    headers = _headers(pairs, header_parts, count_tokens, min(HEADER_TOKENS, encoder_limit - max_tokens))
    passages = [
        _passage(pair, number, texts, header)
        for pair, header, sentences in zip(pairs, headers, answers, strict=True)
        for number, texts in enumerate(_packed(sentences, max_tokens))
    ]
    _refuse_truncation(passages, count_tokens, encoder_limit)
    return passages


def _sentences(pairs: Sequence[QAPair], count_tokens: CountTokens, limit: int) -> list[list[tuple[str, int]]]:
    """For each pair the sentences of its answer with single spaces and their token counts; those over ``limit`` in pieces."""
    from tqdm import tqdm

    answers: list[list[tuple[str, int]]] = []
    with tqdm(total=len(pairs), desc="passages", unit="pair", disable=None, leave=False) as bar:
        for start in range(0, len(pairs), _COUNTED):
            block = [
                [" ".join(pair.answer[a:b].split()) for a, b in split_sentences(pair.answer)]
                for pair in pairs[start : start + _COUNTED]
            ]
            counts = iter(count_tokens([text for texts in block for text in texts]))
            answers += [
                [piece for text in texts for piece in _pieces(text, next(counts), count_tokens, limit)]
                for texts in block
            ]
            bar.update(len(block))
    return answers


def _pieces(text: str, tokens: int, count_tokens: CountTokens, limit: int) -> list[tuple[str, int]]:
    """``text`` halved at word boundaries until each piece is within ``limit``; a lone overlong word is halved inside.

    Halving needs no assumption on how the tokens of parts add up.
    """
    if tokens <= limit:
        return [(text, tokens)]
    words = text.split(" ")
    middle = len(words) // 2
    if middle:
        halves = [" ".join(words[:middle]), " ".join(words[middle:])]
    elif len(text) > 1:
        halves = [text[: len(text) // 2], text[len(text) // 2 :]]
    else:
        raise MedqaError(
            f"wanted passages.max_tokens above {limit}: the single character {text!r} takes {tokens} tokens"
        )
    counts = count_tokens(halves)
    return [p for half, n in zip(halves, counts, strict=True) for p in _pieces(half, n, count_tokens, limit)]


def _packed(sentences: Sequence[tuple[str, int]], limit: int) -> list[list[str]]:
    """Consecutive sentences in groups of at most ``limit`` tokens, each filled before the next begins."""
    groups: list[list[str]] = []
    room = 0
    for text, tokens in sentences:
        if not groups or tokens > room:
            groups.append([])
            room = limit
        groups[-1].append(text)
        room -= tokens
    return groups


def _headers(pairs: Sequence[QAPair], parts: Sequence[str], count_tokens: CountTokens, limit: int) -> list[str]:
    """One header per pair, its parts joined by `` | ``, cut after the last word that keeps it within ``limit`` tokens."""
    full = [" | ".join(text for part in parts if (text := _part(pair, part))) for pair in pairs]
    return [
        header if tokens <= limit else _cut(header, count_tokens, limit)
        for header, tokens in zip(full, count_tokens(full), strict=True)
    ]


def _part(pair: QAPair, part: str) -> str:
    value = getattr(pair, part)
    return " ".join((", ".join(value) if isinstance(value, tuple) else value).split())


def _cut(text: str, count_tokens: CountTokens, limit: int) -> str:
    """The longest run of first words of ``text`` within ``limit`` tokens (bisection)."""
    words = text.split(" ")
    fits, over = 0, len(words)
    while over - fits > 1:
        middle = (fits + over) // 2
        if count_tokens([" ".join(words[:middle])])[0] <= limit:
            fits = middle
        else:
            over = middle
    return " ".join(words[:fits]).rstrip(" |,")


def _passage(pair: QAPair, number: int, sentences: Sequence[str], header: str) -> Passage:
    text = " ".join(sentences)
    return Passage(
        id=passage_id(pair.id, number, f"{header}\n{text}" if header else text),
        pair_id=pair.id,
        text=text,
        sentences=_spans(sentences),
        header=header,
        title=" ".join(pair.topic.split()),
        source=pair.source,
        url=pair.url,
        question_type=pair.question_type,
    )


def passage_id(pair_id: str, number: int, embedded_text: str) -> str:
    """``<pair id>:<place in the answer>:<8 hex digits of the embedded text's SHA-256>``."""
    return f"{pair_id}:{number}:{sha256_bytes(embedded_text.encode())[:8]}"


def _spans(sentences: Sequence[str]) -> tuple[Span, ...]:
    """Where ``sentences`` stand in their join by single spaces."""
    spans: list[Span] = []
    start = 0
    for sentence in sentences:
        spans.append((start, start + len(sentence)))
        start += len(sentence) + 1
    return tuple(spans)


def _refuse_truncation(passages: Sequence[Passage], count_tokens: CountTokens, limit: int) -> None:
    for passage, tokens in zip(passages, count_tokens([p.embedded_text for p in passages]), strict=True):
        if tokens > limit:
            raise MedqaError(
                f"wanted passages of at most {limit} tokens with their header (the encoder's limit), found {tokens} in "
                f"{passage.id}; lower passages.max_tokens"
            )
