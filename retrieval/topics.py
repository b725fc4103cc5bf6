"""Which passages are about the same topic, so that what one of them proves counts for all.

A question names its topic in words that perhaps only one of the topic's passages knows ("also called ..."); the passage that
answers it says nothing of them. So a candidate is judged by the best of its topic too, and passages of the best topics are
candidates even where neither arm proposed them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ALONE = -1
"""Code of a passage without a topic: it shares it with none."""
LARGEST = 400
"""Most passages of a topic. MedQuAD's largest, breast cancer, has 341; what has more is a field ("Cardiology"), of which one
passage proves nothing for the others."""


class Topics:
    """The rows of an index, grouped by topic."""

    def __init__(self, codes: "np.ndarray") -> None:
        """``codes`` (n,) int64: equal for rows of the same topic, ``ALONE`` for those without."""
        import numpy as np

        self._codes = codes
        self._order = np.argsort(codes, kind="stable")
        self._sorted = codes[self._order]

    @classmethod
    def of(cls, titles: Sequence[str]) -> "Topics":
        """By the titles of the rows, case and white space aside; topics larger than ``LARGEST`` are none."""
        import numpy as np

        known: dict[str, int] = {}
        folded = (" ".join(title.casefold().split()) for title in titles)
        numbered = (known.setdefault(title, len(known)) if title else ALONE for title in folded)
        codes = np.fromiter(numbered, np.int64, len(titles))
        sizes = np.bincount(codes[codes != ALONE], minlength=1)
        return cls(np.where((codes != ALONE) & (sizes[codes] > LARGEST), ALONE, codes))

    def best(self, rows: "np.ndarray", scores: "np.ndarray") -> "np.ndarray":
        """(n,) the highest of ``scores`` (n,) among those of ``rows`` (n,) that share a row's topic; its own if it has none."""
        import numpy as np

        codes = self._codes[rows]
        alone = codes == ALONE
        _, places = np.unique(codes, return_inverse=True)
        highest = np.full(places.max(initial=-1) + 1, -np.inf)
        np.maximum.at(highest, places, scores)
        found: np.ndarray = np.where(alone, scores, highest[places])
        return found

    def siblings(self, rows: "np.ndarray", scores: "np.ndarray", n: int) -> "np.ndarray":
        """Rows in order that are not in ``rows`` but of the ``n`` topics whose best row there scores highest."""
        import numpy as np

        ranked = rows[np.lexsort((rows, -scores))]
        topics = list(dict.fromkeys(code for code in self._codes[ranked].tolist() if code != ALONE))[:n]
        first = np.searchsorted(self._sorted, topics, side="left")
        last = np.searchsorted(self._sorted, topics, side="right")
        members = [self._order[a:b] for a, b in zip(first, last, strict=True)]
        return np.setdiff1d(np.concatenate([*members, np.empty(0, dtype=np.int64)]), rows)
