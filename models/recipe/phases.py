"""What the training stream is made of. The runs went through wide, sharp, broad, keen, read and talk, in this order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """Proportions of the stream; shares are between 0 and 1."""

    families: dict[str, int]
    """Examples of each family, percent."""
    refused: float
    """Share of made-up tasks whose answer is not in the sources."""
    refused_prose: float
    """The same for prose."""
    refused_articles: float
    """The same for articles."""
    other_entity: float
    """Share of made-up refusals where the entity itself is missing; in the rest only the asked aspect is."""
    noise: float
    """Chance that one or two words of a form are replaced by others, so that no single word is relied on."""
    odd_facts: float
    """Chance that a fact is a stretch of prose on something else, so that the kind of fact is not relied on either."""
    brief: float
    """Share of made-up examples with few, short sources: more choices to learn from per token."""
    messages: float
    """Share of questions that are put as people write to somebody (see messages.py)."""
    pages: float
    """Share of passages on aspects that pages answer so which are a table or a list of links (see pages.py)."""
    early: float
    """Part of the phase in which plain language counts for more in the loss (see train.py)."""


PHASES = {
    "wide": Phase(
        families={"made-up": 52, "relation": 8, "prose": 32, "plain": 4, "conversation": 4},
        refused=0.15, refused_prose=0.15, refused_articles=0.0,
        other_entity=0.5, noise=0.18, odd_facts=0.1, brief=0.5, early=0.12, messages=0.0, pages=0.0,
    ),
    # broad and keen ran with many more forms, which do what the noise did; several questions share their sources.
    "broad": Phase(
        families={"interview": 36, "made-up": 24, "article": 12, "relation": 4, "prose": 18, "plain": 3, "conversation": 3},
        refused=0.2, refused_prose=0.15, refused_articles=0.0,
        other_entity=0.4, noise=0.08, odd_facts=0.08, brief=0.5, early=0.0, messages=0.0, pages=0.0,
    ),
    "keen": Phase(
        families={"interview": 36, "made-up": 28, "article": 12, "relation": 3, "prose": 16, "plain": 3, "conversation": 2},
        refused=0.24, refused_prose=0.15, refused_articles=0.0,
        other_entity=0.3, noise=0.02, odd_facts=0.05, brief=0.5, early=0.0, messages=0.0, pages=0.0,
    ),
    # The noise of the first phase teaches to answer on thin evidence; the second one teaches when not to.
    "sharp": Phase(
        families={"made-up": 68, "relation": 4, "prose": 22, "plain": 3, "conversation": 3},
        refused=0.27, refused_prose=0.15, refused_articles=0.0,
        other_entity=0.3, noise=0.03, odd_facts=0.05, brief=0.65, early=0.0, messages=0.0, pages=0.0,
    ),
    # Forms say one fact in one sentence. Articles say things as pages do, in whole passages.
    "read": Phase(
        families={
            "encyclopedia": 34, "encyclopedia interview": 14, "interview": 16, "made-up": 14, "article": 6, "relation": 2,
            "prose": 10, "plain": 2, "conversation": 2,
        },
        refused=0.24, refused_prose=0.15, refused_articles=0.38,
        other_entity=0.35, noise=0.02, odd_facts=0.05, brief=0.5, early=0.0, messages=0.0, pages=0.0,
    ),
    # People ask in messages; pages hold tables and links, and passages on one aspect that nearly tell of another.
    "talk": Phase(
        families={
            "encyclopedia": 36, "encyclopedia interview": 16, "interview": 14, "made-up": 14, "article": 4, "relation": 2,
            "prose": 10, "plain": 2, "conversation": 2,
        },
        refused=0.30, refused_prose=0.15, refused_articles=0.55,
        other_entity=0.4, noise=0.02, odd_facts=0.05, brief=0.5, early=0.0, messages=0.4, pages=0.15,
    ),
}  # fmt: skip
