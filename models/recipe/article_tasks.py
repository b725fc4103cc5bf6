"""Reading tasks from the articles: whole passages on one aspect, among passages on others and on other conditions."""

import random
import re
from collections.abc import Sequence

from models.recipe.articles import ASPECTS, NAME, Article
from models.recipe.examples import Draft, Example, Sentence, Tag, grounded, interview, quotes, sources_of
from models.recipe.pages import LINKED, link_list, sign_table
from models.recipe.pseudo import Disguise, Words
from models.recipe.world import World, near, upper_first

WHOLE = 0.5
"""Share of passages that are shown whole; of the others a run of sentences is, so that no passage can be known by heart."""
BORROWED = 0.3
"""Chance that a sentence comes from another article on the same aspect: what counts is what sentences say."""
DISGUISED = 0.5
"""Share of examples with rare words and numbers replaced."""
CLOSE = 0.4
"""Chance that another condition's name is nearly the asked one's, or holds it."""
NESTED = 0.45
"""Of these: that one name holds the other ("gastritis" says nothing of "autoimmune gastritis", nor the other way round)."""
QUALIFIED = 0.15
"""Chance that the asked name has such a word before it."""
SHORTENED = 0.08
"""Chance that a name of several words has an abbreviation, which its title gives and its text uses."""
ASKS_FIRST = 0.12
"""Chance that a passage begins with the question that it answers."""
MENTIONED = 0.08
"""Chance that a passage on another condition mentions the asked one in passing."""
MOST = 6
"""Sources of an example."""

APART = frozenset({
    ("inheritance", "gene"), ("inheritance", "cause"), ("inheritance", "spread"), ("gene", "inheritance"),
    ("frequency", "risk"), ("frequency", "onset"), ("treatment", "research"), ("research", "treatment"),
    ("research", "care"), ("prevention", "spread"), ("gene", "spread"),
})  # fmt: skip
"""(asked, told): what articles keep apart though ``near`` does not. Which gene it is does not say how it is passed on."""

CODES = (
    "1",
    "2",
    "3",
    "4",
    "5",
    "7",
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "IX",
    "1A",
    "1B",
    "2A",
    "2B",
    "IIIb",
    "A",
    "B",
    "C",
)
"""What tells the types of a condition apart."""

_CODE = re.compile(r"[IVX]+[ab]?|[A-C]|\d+[A-Ca-c]?|(?:\d+|X)[pq][\d.]*")
"""A type, a number, a place on a chromosome."""

_GENE = re.compile(r"\b[A-Z][A-Z0-9]{2,}\b")
"""The symbol of a gene: a passage that names one may answer which gene it is, whatever it tells."""


def close(asked: str) -> set[str]:
    """The aspects whose passages may answer a question on ``asked``."""
    return {told for told in near(asked) if (asked, told) not in APART}


class Shelf:
    """The articles, and for one example whose name stands for which and how its rare words are disguised."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.articles: Sequence[Article] = world.library.articles
        self._disguise = Disguise(world.words, world.library.lexicon.is_rare, self.rng.choice((0.1, 0.3, 0.6)))
        self._disguised = self.rng.random() < DISGUISED
        self.titles = self.rng.choices(("name", "none", "heading"), weights=(70, 20, 10))[0]
        self._short: dict[str, str] = {}
        self._qualified: set[str] = set()

    def draw(self, kind: str = "disease", register: str | None = None) -> Article:
        """An article of ``kind``, of ``register`` if it is given and has one."""
        of_kind = [a for a in self.articles if a.kind == kind]
        return self.rng.choice([a for a in of_kind if register in (None, a.register)] or of_kind)

    def draft(self, article: Article, name: str, aspect: str) -> Draft:
        """A source on ``aspect`` of the condition called ``name``; every sentence of it carries the tag."""
        rng, tags = self.rng, frozenset({Tag(name, aspect)})
        if article.kind == "disease" and (said := self._page(name, aspect)):
            return Draft([Sentence(s, tags) for s in said], self._explained(upper_first(name), name))
        said = list(rng.choice(article.on(aspect)))
        if rng.random() >= WHOLE and len(said) > 2:
            n = rng.randint(2, len(said) - 1)
            start = rng.randint(0, len(said) - n)
            said = said[start : start + n]
        if rng.random() < BORROWED:
            lenders = [a for a in self.articles if a.register == article.register and a.kind == article.kind]
            lent = [s for a in rng.sample(lenders, min(8, len(lenders))) for p in a.on(aspect) for s in p]
            if lent and (sentence := rng.choice(lent)) not in said:
                said[rng.randrange(len(said))] = sentence
        titled = self.titles != "none" or not any(NAME in s for s in said)
        title = self.world.title(name, aspect, "name" if self.titles == "none" else self.titles) if titled else ""
        if self.titles == "name":
            title, name = self._explained(title, name), self._short.get(name, name)
        sentences = [Sentence(self._written(s, name), tags) for s in said]
        if rng.random() < ASKS_FIRST:  # the question is no part of an answer
            sentences.insert(0, Sentence(upper_first(self.world.say(f"{aspect}.question", X=name))))
        return Draft(sentences, title)

    def _explained(self, title: str, name: str) -> str:
        """``title`` with the abbreviation of ``name``, if it has one."""
        return f"{title} ({self._short[name]})" if name in self._short else title

    def _page(self, name: str, aspect: str) -> list[str]:
        """Sentences as pages hold them beside prose, or none."""
        if self.rng.random() >= self.world.pages * (2 if aspect == "symptom" else 1):
            return []
        if aspect == "symptom":
            return sign_table(self.world, name)
        return link_list(self.world, name, aspect) if aspect in LINKED else []

    def asked_name(self) -> str:
        """A condition's name to ask about."""
        rng, world = self.rng, self.world
        name = world.name("disease")
        if rng.random() < QUALIFIED:
            name = f"{world.say('qualifier')} {name}"
            self._qualified.add(name)
        words = name.split()
        if len(words) > 1 and rng.random() < SHORTENED:
            initials = "".join(w[0] for w in words if w[0].isalpha()).upper()
            self._short[name] = initials if len(initials) > 2 else initials + rng.choice("DSXTN")
        return name

    def asked(self, name: str, aspect: str) -> str:
        """A question on ``aspect`` of ``name``, now and then with the abbreviation that its title explains."""
        if name in self._short and self.titles == "name" and self.rng.random() < 0.4:
            return self.world.question(self._short[name], [aspect])
        return self.world.question(name, [aspect])

    def _written(self, text: str, name: str) -> str:
        text = self._disguise(text) if self._disguised else text
        return upper_first(text.replace(NAME, name))

    def other_name(self, name: str, kind: str = "disease") -> str:
        """Of another condition; now and then nearly ``name``, or longer by a word."""
        rng, world = self.rng, self.world
        if rng.random() >= CLOSE:
            return world.sibling(name, kind)
        if rng.random() < NESTED:
            words = name.split()
            if name in self._qualified or (len(words) > 2 and rng.random() < 0.5):
                return " ".join(words[1:])
            before = world.say("qualifier") if rng.random() < 0.6 else world.words.word()
            return f"{before} {name}" if rng.random() < 0.7 else f"{name} with {world.words.word()}"
        other = nearly(rng, name, world.words)
        return other if other.lower() != name.lower() else world.sibling(name, kind)


def encyclopedia_task(world: World, refuse: bool) -> Example:
    """One question on one aspect of one condition, as a search over articles would lay passages out."""
    shelf, rng = Shelf(world), world.rng
    article, name = shelf.draw(), shelf.asked_name()
    asked = rng.choice(article.aspects())
    rest = [a for a in article.aspects() if a not in close(asked)]
    beside = [a for a in rest if a in near(asked)]
    elsewhere = refuse and (not rest or rng.random() < world.other_entity)
    total = rng.choice((2, 3, 3, 3, 3, 4, 5))
    drafts = []
    if not refuse:
        drafts = [shelf.draft(article, name, asked)]
        if rng.random() < 0.35 and len(article.on(asked)) > 1:
            drafts.append(shelf.draft(article, name, asked))
    while len(drafts) < total:
        if not elsewhere and rest and (rng.random() < 0.5 or (refuse and not drafts)):
            told = rng.choice(beside if beside and rng.random() < 0.4 else rest)
            if (
                asked == "frequency" and "symptom" in rest and rng.random() < 0.3
            ):  # how often a sign is seen says nothing of how many have it
                told = "symptom"
            draft = shelf.draft(article, name, told)
            names_gene = asked == "gene" and _GENE.search(draft.text)
            drafts.append(_another(shelf, article, name, asked) if names_gene else draft)
        else:
            drafts.append(_another(shelf, article, name, asked))
    question = shelf.asked(name, asked)
    return grounded(
        rng, "refusal" if refuse else "encyclopedia", question, _distinct(drafts)[:MOST], frozenset({Tag(name, asked)})
    )


def encyclopedia_interview(world: World, refused: float) -> Example:
    """Three to five questions on the same passages; each goes unanswered with the chance ``refused``."""
    shelf, rng = Shelf(world), world.rng
    article, name = shelf.draw(), shelf.asked_name()
    told = rng.sample(article.aspects(), min(len(article.aspects()), rng.choice((1, 2, 2, 3))))
    drafts = [shelf.draft(article, name, aspect) for aspect in told]
    drafts += [_another(shelf, article, name, rng.choice(told)) for _ in range(rng.choice((0, 1, 1, 2)))]
    untold = [a for a in ASPECTS if not close(a) & set(told)]
    if any(_GENE.search(d.text) for d in drafts):
        untold = [a for a in untold if a != "gene"]
    rng.shuffle(drafts)
    turns = []
    for _ in range(rng.choice((3, 4, 4, 5))):
        aspect = rng.choice(untold if rng.random() < refused else told)
        turns.append((shelf.asked(name, aspect), quotes(drafts, frozenset({Tag(name, aspect)}))))
    return interview(sources_of(drafts), turns)


def _another(shelf: Shelf, article: Article, name: str, asked: str) -> Draft:
    """A passage on another condition, most often on the asked aspect; now and then on a medicine or a procedure."""
    rng = shelf.rng
    kind = rng.choices(("disease", "drug", "procedure"), weights=(90, 5, 5))[0]
    other = shelf.draw(kind, article.register if rng.random() < 0.6 else None)
    aspect = asked if asked in other.aspects() and rng.random() < 0.65 else rng.choice(other.aspects())
    draft = shelf.draft(other, shelf.other_name(name), aspect)
    if rng.random() < MENTIONED:
        mention = Sentence(upper_first(shelf.world.say("mention", X=name)))
        draft.sentences.insert(rng.randint(0, len(draft.sentences)), mention)
    return draft


def _distinct(drafts: Sequence[Draft]) -> list[Draft]:
    """Without those whose sentences all stand in one before: the same passage twice teaches nothing."""
    kept: list[Draft] = []
    for draft in drafts:
        known = {s.text for k in kept for s in k.sentences}
        if any(s.text not in known for s in draft.sentences if s.tags):
            kept.append(draft)
    return kept


def nearly(rng: random.Random, name: str, words: Words) -> str:
    """``name`` with one word or number changed: ``factor XI deficiency`` and ``factor XIII deficiency`` are two things."""
    parts = name.split()
    coded = [i for i, part in enumerate(parts) if _CODE.fullmatch(part)]
    at = rng.choice(coded) if coded and rng.random() < 0.7 else rng.randrange(len(parts))
    old = parts[at]
    if _CODE.fullmatch(old):
        recounted = [re.sub(r"\d", str(n), old, count=1) for n in range(1, 10)]
        new = rng.choice([code for code in (*CODES, *recounted) if code != old])
    elif rng.random() < 0.5 and len(old) > 5:  # one begins or ends like the other
        cut = rng.randint(3, len(old) - 2)
        made = words.word()
        new = old[:cut] + made[-rng.randint(2, 6) :] if rng.random() < 0.5 else made[: rng.randint(2, 6)] + old[cut:]
    else:
        new = words.surname() if old[0].isupper() else words.word()
    parts[at] = upper_first(new) if old[0].isupper() else new
    return " ".join(parts)
