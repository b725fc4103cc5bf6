"""Two texts that name things: how far do they name the same?"""

from collections.abc import Collection

NEITHER = "neither text has any"


def f1(ours: Collection[object], theirs: Collection[object]) -> float | None:
    """Harmonic mean of precision and recall of two sets, ``2 |A ∩ B| / (|A| + |B|)``, in [0, 1].

    None where both are empty: there is nothing to agree on. 0 where one is: an answer that leaves out all of the reference's
    doses, and one that adds doses to a reference without any, are both wrong.
    """
    a, b = set(ours), set(theirs)
    if not a and not b:
        return None
    return 2 * len(a & b) / (len(a) + len(b))
