"""An encoder that embeds every text once, and none that an index holds already."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.encoder import Encoder
from retrieval.known import known_from, sources_in

if TYPE_CHECKING:
    import numpy as np


class ReusingEncoder:
    """``encoder``, with passage vectors taken over from the current generations of ``indexes`` where they are its own.

    Mining hard negatives in MedQuAD's 37,000 training passages then takes seconds instead of minutes.
    """

    def __init__(self, encoder: Encoder, indexes: Sequence[Path] = ()) -> None:
        self._encoder = encoder
        self._known = known_from(sources_in(indexes), encoder).vectors
        self.embedded = 0
        """Texts that had to be embedded so far."""

    @property
    def fingerprint(self) -> str:
        """The encoder's."""
        return self._encoder.fingerprint

    @property
    def dim(self) -> int:
        """The encoder's."""
        return self._encoder.dim

    @property
    def max_tokens(self) -> int:
        """The encoder's."""
        return self._encoder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The encoder's."""
        return self._encoder.count_tokens(texts)

    def encode_queries(self, texts: Sequence[str]) -> "np.ndarray":
        """The encoder's."""
        return self._encoder.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str], progress: bool = False) -> "np.ndarray":
        """(n, dim) float32, L2-normalised; equal texts are embedded once."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self.embedded += len(new)
            self._known |= dict(zip(new, self._encoder.encode_passages(new, progress), strict=True))
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        return np.stack([self._known[text] for text in texts])
