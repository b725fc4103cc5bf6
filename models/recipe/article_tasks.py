"""Reading tasks from the articles: whole passages on one aspect, among passages on others and on other conditions."""

from collections.abc import Sequence

from models.recipe.articles import ASPECTS, NAME, Article
from models.recipe.examples import Draft, Example, Sentence, Tag, grounded, interview, quotes, sources_of
from models.recipe.pseudo import Disguise
from models.recipe.world import World, near, nearly, upper_first

WHOLE = 0.5
"""Share of passages that are shown whole; of the others a run of sentences is, so that no passage can be known by heart."""
BORROWED = 0.3
"""Chance that a sentence comes from another article on the same aspect: what counts is what sentences say."""
DISGUISED = 0.5
"""Share of examples with rare words and numbers replaced."""
CLOSE = 0.4
"""Chance that another condition's name is nearly the asked one's, or holds it."""
MOST = 6
"""Sources of an example."""


class Shelf:
    """The articles, and for one example whose name stands for which and how its rare words are disguised."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.articles: Sequence[Article] = world.library.articles
        self._disguise = Disguise(world.words, world.library.lexicon.is_rare, self.rng.choice((0.1, 0.3, 0.6)))
        self._disguised = self.rng.random() < DISGUISED
        self.titles = self.rng.choices(("name", "none", "heading"), weights=(70, 20, 10))[0]

    def draw(self, kind: str = "disease", register: str | None = None) -> Article:
        """An article of ``kind``, of ``register`` if it is given and has one."""
        of_kind = [a for a in self.articles if a.kind == kind]
        return self.rng.choice([a for a in of_kind if register in (None, a.register)] or of_kind)

    def draft(self, article: Article, name: str, aspect: str) -> Draft:
        """A source on ``aspect`` of the condition called ``name``; every sentence of it carries the tag."""
        rng, tags = self.rng, frozenset({Tag(name, aspect)})
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
        return Draft([Sentence(self._written(s, name), tags) for s in said], title)

    def _written(self, text: str, name: str) -> str:
        text = self._disguise(text) if self._disguised else text
        return upper_first(text.replace(NAME, name))

    def other_name(self, name: str, kind: str = "disease") -> str:
        """Of another condition; now and then nearly ``name``, or longer by a word."""
        rng, world = self.rng, self.world
        if rng.random() >= CLOSE:
            return world.sibling(name, kind)
        if rng.random() < 0.3:
            return f"{world.words.word()} {name}" if rng.random() < 0.6 else f"{name} with {world.words.word()}"
        other = nearly(rng, name, world.words)
        return other if other.lower() != name.lower() else world.sibling(name, kind)


def encyclopedia_task(world: World, refuse: bool) -> Example:
    """One question on one aspect of one condition, as a search over articles would lay passages out."""
    shelf, rng = Shelf(world), world.rng
    article, name = shelf.draw(), world.name("disease")
    asked = rng.choice(article.aspects())
    rest = [a for a in article.aspects() if a not in near(asked)]
    elsewhere = refuse and (not rest or rng.random() < world.other_entity)
    total = rng.choice((2, 3, 3, 3, 3, 4, 5))
    drafts = []
    if not refuse:
        drafts = [shelf.draft(article, name, asked)]
        if rng.random() < 0.35 and len(article.on(asked)) > 1:
            drafts.append(shelf.draft(article, name, asked))
    while len(drafts) < total:
        if not elsewhere and rest and (rng.random() < 0.5 or (refuse and not drafts)):
            drafts.append(shelf.draft(article, name, rng.choice(rest)))
        else:
            drafts.append(_another(shelf, article, name, asked))
    question = world.question(name, [asked])
    return grounded(
        rng, "refusal" if refuse else "encyclopedia", question, _distinct(drafts)[:MOST], frozenset({Tag(name, asked)})
    )


def encyclopedia_interview(world: World, refused: float) -> Example:
    """Three to five questions on the same passages; each goes unanswered with the chance ``refused``."""
    shelf, rng = Shelf(world), world.rng
    article, name = shelf.draw(), world.name("disease")
    told = rng.sample(article.aspects(), min(len(article.aspects()), rng.choice((1, 2, 2, 3))))
    drafts = [shelf.draft(article, name, aspect) for aspect in told]
    drafts += [_another(shelf, article, name, rng.choice(told)) for _ in range(rng.choice((0, 1, 1, 2)))]
    untold = [a for a in ASPECTS if not any(a in near(t) for t in told)]
    rng.shuffle(drafts)
    turns = []
    for _ in range(rng.choice((3, 4, 4, 5))):
        aspect = rng.choice(untold if rng.random() < refused else told)
        turns.append((world.question(name, [aspect]), quotes(drafts, frozenset({Tag(name, aspect)}))))
    return interview(sources_of(drafts), turns)


def _another(shelf: Shelf, article: Article, name: str, asked: str) -> Draft:
    """A passage on another condition, most often on the asked aspect; now and then on a medicine or a procedure."""
    rng = shelf.rng
    kind = rng.choices(("disease", "drug", "procedure"), weights=(90, 5, 5))[0]
    other = shelf.draw(kind, article.register if rng.random() < 0.6 else None)
    aspect = asked if asked in other.aspects() and rng.random() < 0.65 else rng.choice(other.aspects())
    return shelf.draft(other, shelf.other_name(name), aspect)


def _distinct(drafts: Sequence[Draft]) -> list[Draft]:
    """Without those whose sentences all stand in one before: the same passage twice teaches nothing."""
    kept: list[Draft] = []
    for draft in drafts:
        known = {s.text for k in kept for s in k.sentences}
        if any(s.text not in known for s in draft.sentences):
            kept.append(draft)
    return kept
