"""The one renderer of the chat prompt, used by training, evaluation and serving alike.

All prompt texts stand here as constants. The layout is the chat template that lies beside the tokenizer (Phi-3's
markers); this module decides what goes into the messages and makes sure that text from users or the corpus can never form
one of the template's control tokens.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medqa.errors import MedqaError

GROUNDED_SYSTEM = (
    "Answer the question using only the numbered sources. Cite each source you use like [1]. "
    "If the sources do not answer the question, say so."
)
REFUSAL = "The sources do not answer this question."
"""The one refusal: what training teaches, what code answers without evidence, what evaluation counts."""

# Phi-3's markers and, from the Llama tokenizer under the full-size model, <s> </s> <unk>.
_CONTROL = re.compile(r"<(\|?)([^<>|\s]{1,40})(\|?)>")
_LLAMA = frozenset({"s", "/s", "unk", "pad"})


@dataclass(frozen=True, slots=True)
class Source:
    """What the prompt shows of a passage."""

    text: str
    title: str = ""


def neutralise(text: str) -> str:
    """``text`` with anything shaped like a control token (``<|end|>``, ``</s>``) broken up, so that no tokenizer reads one.

    They become ``<¦end¦>``, ``<¦/s¦>``: a person still sees what was written.
    """

    def break_up(match: re.Match[str]) -> str:
        left, name, right = match.groups()
        is_control = (left and right) or name.lower() in _LLAMA
        return f"<¦{name}¦>" if is_control else match.group(0)

    return _CONTROL.sub(break_up, text)


def source_line(number: int, source: Source) -> str:
    """``[1] Asthma: text`` or, without a title, ``[1] text``. ``number`` counts from 1."""
    text = " ".join(source.text.split())
    return f"[{number}] {source.title}: {text}" if source.title else f"[{number}] {text}"


def grounded_messages(question: str, sources: Sequence[Source]) -> list[dict[str, str]]:
    """System rule, then numbered sources and the question in one user turn."""
    lines = [source_line(n, s) for n, s in enumerate(sources, start=1)]
    user = "\n".join(lines) + f"\n\nQuestion: {question.strip()}"
    return [{"role": "system", "content": GROUNDED_SYSTEM}, {"role": "user", "content": user}]


def plain_messages(question: str) -> list[dict[str, str]]:
    """The closed-book prompt: the question and nothing else."""
    return [{"role": "user", "content": question.strip()}]


def messages_for(question: str, sources: Sequence[Source] | None) -> list[dict[str, str]]:
    """Messages with sources, or closed-book ones where ``sources`` is None."""
    return plain_messages(question) if sources is None else grounded_messages(question, sources)


def render(tokenizer: Any, messages: Sequence[dict[str, str]]) -> list[int]:
    """Token ids of ``messages`` up to and including the assistant marker: what the model continues.

    Every content is neutralised first. ``tokenizer`` is any transformers tokenizer with a chat template.
    """
    return list(tokenizer(render_text(tokenizer, messages), add_special_tokens=False)["input_ids"])


def render_text(tokenizer: Any, messages: Sequence[dict[str, str]]) -> str:
    """What ``render`` turns into token ids, for callers that tokenise many at once."""
    safe = [{"role": m["role"], "content": neutralise(m["content"])} for m in messages]
    return str(tokenizer.apply_chat_template(safe, tokenize=False, add_generation_prompt=True))


def end_token_id(tokenizer: Any) -> int:
    """Id of ``<|end|>``, the token that closes every turn of Phi-3's chat format."""
    token_id = tokenizer.convert_tokens_to_ids("<|end|>")
    if token_id is None or token_id == tokenizer.unk_token_id:
        raise MedqaError(
            "wanted a tokenizer with the token <|end|> (Phi-3's chat format), found none in "
            f"{tokenizer.name_or_path}; use microsoft/Phi-3-mini-4k-instruct or a model made from it"
        )
    return int(token_id)


def fit_sources(
    tokenizer: Any, question: str, sources: Sequence[Source], budget: int
) -> tuple[list[int], list[Source], int]:
    """The grounded prompt within ``budget`` tokens: whole sources are dropped from the end (the lowest ranks) until it fits.

    Returns the token ids, the sources kept and the number dropped.

    Raises:
        MedqaError: even the question with the first source alone does not fit.
    """
    kept = list(sources)
    while True:
        ids = render(tokenizer, grounded_messages(question, kept))
        if len(ids) <= budget:
            return ids, kept, len(sources) - len(kept)
        if len(kept) <= 1:
            raise MedqaError(
                f"wanted a prompt of at most {budget} tokens, found {len(ids)} with a single source; "
                "shorten the question or raise rag.prompt_tokens"
            )
        kept.pop()
