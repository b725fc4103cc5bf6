"""Which questions an evaluation asks, and the reference answer of each."""

from collections.abc import Sequence

from ingest.corpus import Corpus
from medqa.errors import MedqaError
from medqa.files import sha256_bytes
from medqa.records import QAPair, Split


def pick_questions(corpus: Corpus, split: Split, number: int | None, seed: int) -> list[QAPair]:
    """``number`` pairs of ``split`` (None: all), drawn by a hash of seed and id: the same ones whatever the row order.

    Raises:
        MedqaError: the split is empty.
    """
    pairs = corpus.of([split])
    if not pairs:
        raise MedqaError(f"wanted questions in the {split} split, found none; ingest more rows or set eval.split")
    drawn = sorted(pairs, key=lambda p: sha256_bytes(f"{seed}:{p.id}".encode()))[:number]
    return sorted(drawn, key=lambda p: p.id)


def check_header(header: str) -> None:
    """Refuse an evaluation index that holds the questions: each question would find itself."""
    if "question" in header.split("+"):
        raise MedqaError(
            f"wanted eval.header without the question (a question must not find itself), found {header!r}; "
            "use topic+synonyms, topic or none"
        )


def references(pairs: Sequence[QAPair]) -> dict[str, str]:
    """Pair id -> reference answer, white space folded as metrics see it."""
    return {p.id: " ".join(p.answer.split()) for p in pairs}
