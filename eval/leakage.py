"""What a random split would have let into training, for the same questions: the leak that a split by topic closes."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from medqa.files import sha256_bytes
from medqa.records import SPLITS, QAPair


def random_split(pairs: Sequence[QAPair], asked: Collection[str], seed: int) -> list[QAPair]:
    """``pairs`` with splits drawn at random in their present sizes, the pairs ``asked`` kept in test; in the same order.

    The questions stay the same, so that the two splits can be compared question by question. It flatters a little less than
    a random split would: relatives of a question that are asked themselves stay out of train.

    A row's place depends on the seed and its id, not on the order of rows.
    """
    sizes = {split: sum(p.split == split for p in pairs) for split in SPLITS}
    free = sorted((p for p in pairs if p.id not in asked), key=lambda p: sha256_bytes(f"{seed}:{p.id}".encode()))
    train, validation = sizes["train"], sizes["validation"]
    place = {
        p.id: "train" if n < train else "validation" if n < train + validation else "test" for n, p in enumerate(free)
    }
    return [replace(p, split=place.get(p.id, "test")) for p in pairs]  # type: ignore[arg-type]
