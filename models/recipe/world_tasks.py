"""Reading tasks in a made-up world: which sources are laid out, what is asked, what must be said or refused."""

import random
from collections.abc import Sequence

from models.recipe.examples import Draft, Example, Sentence, Tag, grounded, interview, quotes, sources_of
from models.recipe.world import KINDS, World, near, upper_first


def reading_task(world: World, refuse: bool) -> Example:
    """A question about a made-up entity among sources about it and others."""
    rng = world.rng
    kind = rng.choices(list(KINDS), weights=(72, 12, 6, 5, 5))[0]
    aspects = KINDS[kind]
    name = world.name(kind)
    others = [world.sibling(name, kind) for _ in range(rng.choice((1, 1, 2, 3)))]
    asked = _asked(rng, aspects, refuse)
    titles = rng.choices(("name", "none", "heading", "question"), weights=(48, 32, 10, 10))[0]
    # "What is X?" is answered by whatever is said about X, so only another entity leaves it open
    absent = refuse and (asked[0] in ("broad", "definition") or rng.random() < world.other_entity)
    drafts = _drafts(world, kind, name, others, asked, titles, refuse, absent)
    wanted = _wanted(drafts, name, asked)
    return grounded(rng, "made-up" if wanted else "refusal", world.question(name, asked), drafts, wanted)


def _wanted(drafts: Sequence[Draft], name: str, asked: Sequence[str]) -> frozenset[Tag]:
    """Which sentences answer a question on ``asked``; none if nothing in ``drafts`` does."""
    tags = {tag for d in drafts for s in d.sentences for tag in s.tags if tag.entity == name}
    wanted = {tag for tag in tags if tag.aspect in asked}
    if asked == ["broad"] or (asked == ["definition"] and not wanted):
        wanted = tags
    if asked == ["definition"] and wanted:
        _overview(drafts, name)
        wanted = wanted | {Tag(name, "overview")}
    return frozenset(wanted)


def interview_task(world: World, refused: float) -> Example:
    """Three to six questions on the same sources; each goes unanswered with the chance ``refused``.

    Choosing the sentence is what is hard to learn, and sources are most of an example: this gives several choices for the
    price of one reading.
    """
    rng = world.rng
    kind = rng.choices(list(KINDS), weights=(78, 10, 4, 4, 4))[0]
    aspects = KINDS[kind]
    names = [world.name(kind)]
    names += [world.sibling(names[0], kind) for _ in range(rng.choice((1, 1, 2)))]
    titles = rng.choices(("name", "none", "heading"), weights=(50, 40, 10))[0]
    shared = rng.sample(
        aspects, min(len(aspects), rng.randint(3, 6))
    )  # told of several: only the name tells them apart
    drafts = []
    for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5))):
        entity = rng.choice((names[0], *names))
        pool = shared if rng.random() < 0.6 else aspects
        chosen = rng.sample(pool, min(len(pool), rng.choice((1, 2, 2, 3))))
        other = rng.choice([n for n in names if n != entity])
        drafts.append(world.source(entity, kind, chosen, other, titles))
    told = sorted({tag for d in drafts for s in d.sentences for tag in s.tags})
    turns = []
    for _ in range(rng.choice((3, 4, 4, 5, 6))):
        if rng.random() >= refused:
            name, aspect = rng.choice(told)
        else:
            name, aspect = _untold(world, kind, names, told)
        turns.append((world.question(name, [aspect]), quotes(drafts, _wanted(drafts, name, [aspect]))))
    return interview(sources_of(drafts), turns)


def _untold(world: World, kind: str, names: Sequence[str], told: Sequence[Tag]) -> Tag:
    """An aspect that nothing told of the entity comes near to, or an entity of which nothing is told."""
    rng = world.rng
    absent = [
        Tag(name, aspect)
        for name in names
        for aspect in KINDS[kind]
        if aspect != "definition" and not any(t.entity == name and t.aspect in near(aspect) for t in told)
    ]
    if absent and rng.random() < 0.8:
        return rng.choice(absent)
    return Tag(world.sibling(names[0], kind), rng.choice(told).aspect)


def article_task(world: World, refuse: bool) -> Example:
    """Whole passages on the asked aspect, as an article cut into passages gives them: everything in them is the answer."""
    rng = world.rng
    kind = rng.choices(("disease", "drug"), weights=(85, 15))[0]
    aspects = KINDS[kind]
    name = world.name(kind)
    others = [world.sibling(name, kind) for _ in range(rng.choice((1, 1, 2)))]
    asked = rng.choice([a for a in aspects if a != "definition" or not refuse])
    titles = rng.choices(("name", "none", "heading"), weights=(65, 25, 10))[0]
    rest = [a for a in aspects if a not in near(asked)]
    plan = [] if refuse else [(name, asked)] * rng.choice((1, 1, 2, 2, 3))
    plan += [(name, rng.choice(rest)) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    plan += [
        (rng.choice(others), asked if rng.random() < 0.6 else rng.choice(aspects))
        for _ in range(rng.choice((0, 0, 1, 1, 2)))
    ]
    plan = plan or [(others[0], asked)]
    drafts = [
        world.passage(e, kind, a, rng.choice([n for n in (name, *others) if n != e]), titles) for e, a in plan[:6]
    ]
    wanted = frozenset({Tag(name, asked)})
    return grounded(rng, "refusal" if refuse else "article", world.question(name, [asked]), drafts, wanted)


def _asked(rng: random.Random, aspects: Sequence[str], refuse: bool) -> list[str]:
    """What the question is about."""
    roll = rng.random()
    if roll < 0.1:
        return ["broad"]
    if roll < 0.2 and "definition" in aspects and not refuse:
        return ["definition"]
    if roll < 0.26 and not refuse:
        return rng.sample(aspects, 2)
    return [rng.choice(aspects)]


def _drafts(
    world: World, kind: str, name: str, others: list[str], asked: list[str], titles: str, refuse: bool, absent: bool
) -> list[Draft]:
    """One to six sources: on ``name`` (unless ``absent``), on the asked aspects of others, on anything else."""
    rng, aspects = world.rng, KINDS[kind]
    total = rng.choice((1, 2, 2, 3, 3, 4) if world.brief else (1, 2, 3, 3, 4, 4, 5, 6))
    sizes = (1, 1, 2, 2) if world.brief else (1, 2, 3, 3, 4)
    # What may be told about the entity: everything, or in a refusal nothing that comes close to what is asked.
    told = aspects if not refuse else [a for a in aspects if not any(a in near(b) for b in asked)]
    drafts: list[Draft] = []
    todo = [] if refuse else list(asked if asked != ["broad"] else [rng.choice(aspects)])
    while len(drafts) < total:
        mine = not absent and (bool(todo) or rng.random() < 0.35) and bool(told)
        entity = name if mine else rng.choice(others)
        pool = told if mine else aspects
        chosen = rng.sample(pool, min(len(pool), rng.choice(sizes)))
        if mine and todo:
            chosen = _including(rng, chosen[: max(sizes) - 1], todo.pop())
        elif not mine and asked[0] in aspects and rng.random() < 0.6:
            chosen = _including(rng, chosen[: max(sizes) - 1], asked[0])
        elif mine and refuse is False and asked[0] in aspects and rng.random() < 0.75:
            chosen = [a for a in chosen if a not in asked] or [rng.choice(aspects)]
        other = rng.choice([n for n in (name, *others) if n != entity])
        drafts.append(world.source(entity, kind, chosen, other, titles))
    if refuse:
        _drop(drafts, name, set().union(*(near(a) for a in asked)) if asked != ["broad"] else set(aspects))
    return drafts


def _including(rng: random.Random, chosen: list[str], aspect: str) -> list[str]:
    """``chosen`` with ``aspect`` at a random place."""
    rest = [a for a in chosen if a != aspect][:3]
    rest.insert(rng.randint(0, len(rest)), aspect)
    return rest


def _drop(drafts: list[Draft], name: str, aspects: set[str]) -> None:
    """Take out sentences that a clause has made to answer after all."""
    for draft in drafts:
        told = {Tag(name, aspect) for aspect in aspects}
        draft.sentences = [s for s in draft.sentences if not s.tags & told]
        if not draft.sentences:
            draft.sentences.append(Sentence("No further details are known."))


def _overview(drafts: Sequence[Draft], name: str) -> None:
    """Mark what follows the definition in its source: "What is X?" is answered by both."""
    for draft in drafts:
        seen = False
        for sentence in draft.sentences:
            seen = seen or Tag(name, "definition") in sentence.tags
            if seen and any(tag.entity == name for tag in sentence.tags):
                sentence.tags = sentence.tags | {Tag(name, "overview")}


_RELATION_FORMS = (
    ("The {r} of {x} is {f}.", "What is the {r} of {x}?"),
    ("{x} has a {r} of {f}.", "What {r} does {x} have?"),
    ("{f} is the {r} of {x}.", "What is the {r} of {x}?"),
    ("{x}'s {r} is {f}.", "What is {x}'s {r}?"),
    ("As to its {r}, {x} shows {f}.", "What about the {r} of {x}?"),
    ("{x} {r}s {f}.", "What does {x} {r}?"),
    ("{x} can {r} {f}.", "What can {x} {r}?"),
    ("{f} {r}ed {x}.", "What {r}ed {x}?"),
    ("When {r} is mentioned, {x} means {f}.", "What does {x} mean for {r}?"),
    ("With {f}, {x} reached its {r}.", "How did {x} reach its {r}?"),
    ("{x} was {r}ed by {f}.", "By what was {x} {r}ed?"),
    ("They {r} {x} with {f}.", "How do they {r} {x}?"),
)


def relation_task(world: World, refuse: bool) -> Example:
    """Facts under random relation words: nothing but matching the words of the question finds the sentence."""
    rng = world.rng
    kind = rng.choice(list(KINDS))
    names = [world.name(kind)]
    names += [world.sibling(names[0], kind) for _ in range(rng.choice((1, 1, 2)))]
    n_relations = rng.randint(2, 6)
    relations = [rng.choice(world.common) if rng.random() < 0.6 else world.words.word() for _ in range(n_relations)]
    facts = [a for a in KINDS[kind] if f"{a}.fact" in world.grammar.forms]
    cells = [(n, r) for n in names for r in dict.fromkeys(relations)]
    rng.shuffle(cells)
    cells = cells[: rng.randint(2, 10)]
    name, relation = cells.pop() if refuse else cells[0]
    asked_form = rng.choice(_RELATION_FORMS)
    sentences = []
    for n, r in cells:
        form = asked_form[0] if (n, r) == (name, relation) and rng.random() < 0.5 else rng.choice(_RELATION_FORMS)[0]
        text = upper_first(form.format(x=n, r=r, f=world.fact(rng.choice(facts))))
        sentences.append(Sentence(text, frozenset({Tag(n, r)})))
    rng.shuffle(sentences)
    drafts: list[Draft] = []
    while sentences:
        n_here = rng.randint(1, 4)
        drafts.append(Draft(sentences[:n_here]))
        del sentences[:n_here]
    question = world.blemish(upper_first(asked_form[1].format(x=world.written(name), r=relation)))
    return grounded(rng, "refusal" if refuse else "relation", question, drafts[:6], frozenset({Tag(name, relation)}))
