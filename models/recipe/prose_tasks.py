"""Reading tasks from textbook prose: the same quoting as with made-up entities, in sentences that people wrote."""

import random
import re
from collections.abc import Callable, Sequence

from models.recipe.examples import Draft, Example, Sentence, Tag, cite, closed_book, grounded
from models.recipe.library import Library, Page, draw_page
from models.recipe.patterns import lower_term, match_aspect, span_questions
from models.recipe.prose import Chunk, content_words, sentences
from models.recipe.pseudo import Disguise, Words
from rag.prompt import Source, grounded_messages

WANTED = Tag("passage", "wanted")
"""What marks a sentence as the answer; prose has no aspects of its own."""

_SECTION_ASPECTS = {
    "Clinical Manifestations": "symptom", "Pathophysiology": "cause", "Etiology": "cause", "Diagnostics": "diagnosis",
    "Assessment and Diagnostics": "diagnosis", "Diagnostic Testing": "diagnosis",
    "Pharmacologic Management": "treatment",
    "Pharmacological Management": "treatment", "Nonpharmacologic Management": "treatment",
    "Adverse Effects and Contraindications": "side", "Introduction and Use": "use",
}  # fmt: skip


def _draft(chunk: Chunk, title: str, is_answer: Callable[[str], bool]) -> Draft:
    wanted = frozenset({WANTED})
    return Draft([Sentence(s, wanted if is_answer(s) else frozenset()) for s in chunk.sentences], title)


def _never(_: str) -> bool:
    return False


def _title_for(rng: random.Random, page: Page, chunk: Chunk, style: str) -> str:
    if style == "none":
        return ""
    return chunk.section or page.module.title if style == "section" else page.module.title


def _distractors(
    rng: random.Random,
    library: Library,
    page: Page,
    used: Sequence[Chunk],
    style: str,
    key: str,
    allowed: Callable[[Chunk], bool],
) -> list[Draft]:
    """Up to five other passages: some that mention ``key``, some of the page, some of another page; all ``allowed``."""
    n = rng.choice((0, 1, 1, 2, 2, 3, 3, 4, 5))
    own = [c for c in page.chunks if all(c is not u for u in used) and allowed(c)]
    rng.shuffle(own)
    if rng.random() < 0.5:
        own.sort(key=lambda c: key.lower() not in c.text.lower())
    picked = [(page, c) for c in own[: n if rng.random() < 0.7 else n // 2]]
    while len(picked) < n:
        other = draw_page(rng, library)
        chunk = rng.choice(other.chunks)
        if allowed(chunk):
            picked.append((other, chunk))
        else:
            n -= 1
    return [_draft(c, _title_for(rng, p, c, style), _never) for p, c in picked]


def _style(rng: random.Random) -> str:
    return rng.choices(("none", "section", "module"), weights=(45, 30, 25))[0]


def _ask(rng: random.Random, library: Library, section: str, words: Words, **slots: str) -> str:
    text = library.grammar.say(rng, library.grammar.pick(rng, section), slots, words.make).strip()
    return text[:1].upper() + text[1:]


def aspect_task(rng: random.Random, library: Library, words: Words, refuse: bool) -> Example | None:
    """A sentence that matches a pattern (X is caused by ...) and the question that it answers."""
    page = draw_page(rng, library)
    found = [(c, i, m) for c in page.chunks for i, s in enumerate(c.sentences) if (m := match_aspect(s))]
    if not found:
        return None
    chunk, start, (name, aspect) = rng.choice(found)
    goes_on = chunk.sentences[start : start + (rng.choice((1, 3)) if aspect == "definition" else 1)]
    style = _style(rng)
    question = _ask(rng, library, f"{aspect}.question", words, X=lower_term(name))
    drafts = [] if refuse else [_draft(chunk, _title_for(rng, page, chunk, style), lambda s: s in goes_on)]

    def allowed(c: Chunk) -> bool:
        return not (refuse and name.lower() in c.text.lower()) and not _answers(c, name)

    drafts += _distractors(rng, library, page, [chunk], style, name, allowed)
    return _finish(rng, "prose aspect", question, drafts, refuse)


def _answers(chunk: Chunk, name: str) -> bool:
    return any((m := match_aspect(s)) and m[0].lower() == name.lower() for s in chunk.sentences)


def glossary_task(rng: random.Random, library: Library, words: Words, refuse: bool) -> Example | None:
    """A term, answered from a glossary entry set among passages."""
    page = draw_page(rng, library)
    if not page.module.glossary:
        return None
    entries = list(page.module.glossary)
    term, meaning = rng.choice(entries)
    others = [e for e in entries if e[0] != term and term.lower() not in " ".join(e).lower()]
    rng.shuffle(others)
    titled = rng.random() < 0.5

    def entry(t: str, m: str, wanted: bool) -> Draft:
        text = (
            m
            if titled
            else rng.choice((f"{t}: {m}", f"{t[:1].upper()}{t[1:]} means {m}", f"{t[:1].upper()}{t[1:]} is {m}"))
        )
        return Draft([Sentence(text, frozenset({WANTED} if wanted else ()))], t if titled else "")

    drafts = [] if refuse else [entry(term, meaning, True)]
    drafts += [entry(*e, False) for e in others[: rng.choice((0, 1, 2, 3))]]
    if rng.random() < 0.5:
        drafts += _distractors(
            rng, library, page, [], "module" if titled else "none", term, lambda c: term.lower() not in c.text.lower()
        )
    section = rng.choice(("definition.question", "definition.question", "broad.question"))
    return _finish(rng, "glossary", _ask(rng, library, section, words, X=lower_term(term)), drafts, refuse)


def section_task(rng: random.Random, library: Library, words: Words, refuse: bool) -> Example | None:
    """A section's heading as the question, its passages as the answer: long quotations from one to three sources."""
    page = draw_page(rng, library)
    titles = list(dict.fromkeys(c.section for c in page.chunks if 0 < len(c.section.split()) < 9))
    if not titles:
        return None
    title = rng.choice(titles)
    own = [c for c in page.chunks if c.section == title][: rng.choice((1, 1, 2, 2, 3))]
    style = "none" if rng.random() < 0.25 else "section"
    aspect = _SECTION_ASPECTS.get(title)
    name = re.sub(r"^Introduction to ", "", page.module.title)
    if aspect and len(name.split()) < 6:
        question = _ask(rng, library, f"{aspect}.question", words, X=name)
        title_style = "section" if rng.random() < 0.5 else "module"
    else:
        question, title_style = _ask(rng, library, "broad.question", words, X=title), style
    drafts = [] if refuse else [_draft(c, _title_for(rng, page, c, title_style), lambda _: True) for c in own]
    key = content_words(title, library.lexicon)
    drafts += _distractors(
        rng, library, page, own, title_style, title,
        lambda c: c.section != title and not (refuse and any(k.lower() in (c.text + c.section).lower() for k in key)),
    )  # fmt: skip
    return _finish(rng, "section", question, drafts, refuse or not drafts)


def keyword_task(rng: random.Random, library: Library, words: Words, refuse: bool) -> Example | None:
    """Two to four words of a sentence: the answer is every sentence that has them all."""
    page = draw_page(rng, library)
    chunk = rng.choice(page.chunks)
    sentence = rng.choice(chunk.sentences)
    content = content_words(sentence, library.lexicon)[:8]
    if len(content) < 3:
        return None
    keys = rng.sample(content, min(len(content), rng.choice((1, 2, 2, 3, 4))))
    phrase = keys[0] if len(keys) == 1 else ", ".join(keys[:-1]) + " and " + keys[-1]
    style = _style(rng)

    def has_all(text: str) -> bool:
        found = set(re.findall(r"[\w’'-]+", text))
        return all(k in found for k in keys)

    def has_none(c: Chunk) -> bool:
        return not any(k.lower() in c.text.lower() for k in keys)

    question = _ask(rng, library, "article.question", words, K=phrase)
    drafts = [] if refuse else [_draft(chunk, _title_for(rng, page, chunk, style), has_all)]
    allowed = has_none if refuse else (lambda c: not any(has_all(s) for s in c.sentences))
    drafts += _distractors(rng, library, page, [chunk], style, keys[0], allowed)
    return _finish(rng, "keywords", question, drafts, refuse)


def span_task(rng: random.Random, library: Library, words: Words, refuse: bool) -> Example | None:
    """A question made from one sentence; the answer is that sentence."""
    page = draw_page(rng, library)
    chunk = rng.choice(page.chunks)
    asked = [(s, q) for s in chunk.sentences for q in span_questions(s)]
    if not asked:
        return None
    sentence, question = rng.choice(asked)
    keys = content_words(question, library.lexicon)
    if len(keys) < 2:
        return None
    style = _style(rng)
    drafts = [] if refuse else [_draft(chunk, _title_for(rng, page, chunk, style), lambda s: s == sentence)]

    def unlike(c: Chunk) -> bool:
        shared = sum(k.lower() in c.text.lower() for k in keys)
        return shared == 0 if refuse else shared < len(keys)

    drafts += _distractors(rng, library, page, [chunk], style, keys[0], unlike)
    return _finish(rng, "span", question, drafts, refuse)


def _finish(rng: random.Random, kind: str, question: str, drafts: list[Draft], refuse: bool) -> Example | None:
    if not drafts:
        return None
    return grounded(rng, "refusal" if refuse else kind, question, drafts[:6], frozenset({WANTED}))


TASKS = (aspect_task, glossary_task, section_task, keyword_task, span_task)
WEIGHTS = (18, 8, 30, 22, 22)


def prose_task(rng: random.Random, library: Library, refuse: bool, share_disguised: float) -> Example:
    """One of the tasks; by ``share_disguised`` (0 to 1) its rare words and numbers are replaced throughout."""
    words = Words(rng, library.lexicon.rare)
    while True:
        task = rng.choices(TASKS, weights=WEIGHTS)[0]
        example = task(rng, library, words, refuse)
        if example is not None:
            break
    if rng.random() >= share_disguised:
        return example
    return disguised(example, Disguise(words, library.lexicon.is_rare, rng.choice((0.3, 0.6, 0.95))))


def disguised(example: Example, disguise: Disguise) -> Example:
    """``example`` with the same replacements in sources, answer and question; words of the question alone stay."""
    sources = tuple(Source(text=disguise(s.text), title=disguise(s.title)) for s in example.sources)
    quotes = tuple((n, disguise(text)) for n, text in example.quotes)
    question = disguise.known_only(example.question)
    return Example(grounded_messages(question, sources), cite(quotes), example.kind, question, sources, quotes)


def closed_book_task(rng: random.Random, library: Library) -> Example:
    """A glossary term or a defining sentence, asked without sources."""
    words = Words(rng, library.lexicon.rare)
    while True:
        module = rng.choice(library.modules)
        if module.glossary and rng.random() < 0.6:
            term, meaning = rng.choice(module.glossary)
            answer = meaning[0].upper() + meaning[1:] + ("" if meaning.endswith(".") else ".")
            return closed_book(_ask(rng, library, "definition.question", words, X=lower_term(term)), answer)
        found = [(m, s) for _, ps in module.sections for p in ps for s in sentences(p) if (m := match_aspect(s))]
        if found:
            (name, aspect), sentence = rng.choice(found)
            return closed_book(_ask(rng, library, f"{aspect}.question", words, X=lower_term(name)), sentence)
