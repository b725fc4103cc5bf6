"""An open index: questions -> hits, by cosine, BM25 and aspect together, read again by a cross-encoder where there is one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.records import Hit, Passage
from retrieval import generations
from retrieval.contents import Contents, load_contents
from retrieval.encoder import Encoder
from retrieval.filters import Filters
from retrieval.passage_file import titles
from retrieval.ranking import Ranking
from retrieval.search import Search, Unit
from retrieval.topics import Topics

if TYPE_CHECKING:
    import numpy as np


class Index:
    """One generation, loaded; it stays as it was opened until ``reload_if_changed``."""

    def __init__(self, path: Path, encoder: Encoder, contents: Contents) -> None:
        self._path = path
        self._encoder = encoder
        self._contents = contents
        self._topics: tuple[Contents, Topics] | None = None

    @classmethod
    def open(cls, path: Path, encoder: Encoder) -> "Index":
        """The current generation of the index at ``path``.

        Raises:
            MedqaError: no index, an unfinished or damaged one, or one that another encoder made.
        """
        return cls(path, encoder, _load(path, encoder))

    @property
    def manifest(self) -> dict[str, Any]:
        """The generation's manifest."""
        return self._contents.manifest

    @property
    def encoder(self) -> str:
        """Fingerprint of the encoder that made the vectors."""
        return self._encoder.fingerprint

    @property
    def generation(self) -> str:
        """The generation's name, e.g. ``000001``."""
        return self._contents.folder.name

    @property
    def passages(self) -> Sequence[Passage]:
        """All passages, by pair id and place in the answer."""
        return self._contents.passages

    def reload_if_changed(self) -> bool:
        """Take up the generation that is current now; True if it is another one. On an error the old one stays open.

        Raises:
            MedqaError: as ``open``.
        """
        if generations.find_current(self._path) == self._contents.folder:
            return False
        self._contents = _load(self._path, self._encoder)  # one assignment: a search at work keeps what it began with
        return True

    def search(
        self,
        questions: Sequence[str],
        k: int,
        unit: Unit = "passage",
        *,
        ranking: Ranking | None = None,
        filters: Filters | None = None,
        exclude: Callable[[Passage], bool] | None = None,
    ) -> list[list[Hit]]:
        """The ``k`` best hits of each question, best first; fewer only where the index holds fewer.

        Args:
            questions: embedded in one batch; a question's hits do not depend on the others.
            k: hits per question.
            unit: ``passage`` gives each passage once (of those that say the same, the best), ``pair`` each pair once, by its
                best passage.
            ranking: weights and stages; the defaults where it is None.
            filters: only passages that they admit are found.
            exclude: passages for which it is true are treated as absent; asked once per passage and call.

        Returns:
            One list per question. ``Hit.dense`` is always filled; a rank is None where that arm did not propose the hit.
        """
        if k < 1:
            raise MedqaError(f"wanted at least one hit per question, found k={k}")
        if not questions:
            return []
        contents = self._contents
        ranking = ranking or Ranking()
        allowed = _allowed(contents.passages, filters, exclude)
        search = Search(
            contents, unit, ranking, allowed, None if ranking.aspects is None else self._topics_of(contents)
        )
        vectors = self._encoder.encode_queries(questions)
        proposed = search.dense_rows(vectors, k)
        found = zip(questions, vectors, proposed, strict=True)
        return [search.hits(question, vector, rows, k) for question, vector, rows in found]

    def _topics_of(self, contents: Contents) -> Topics:
        """Grouped when first asked for."""
        found = self._topics  # another thread may take up another generation meanwhile
        if found is None or found[0] is not contents:
            self._topics = found = contents, Topics.of(titles(contents.passages))
        return found[1]


def _allowed(
    passages: Sequence[Passage], filters: Filters | None, exclude: Callable[[Passage], bool] | None
) -> "np.ndarray | None":
    """Mask of the rows that may be found; None for all."""
    import numpy as np

    if not filters and exclude is None:
        return None
    admit = filters.admit if filters else lambda _: True
    skip = exclude or (lambda _: False)
    return np.fromiter((admit(p) and not skip(p) for p in passages), bool, len(passages))


def _load(path: Path, encoder: Encoder) -> Contents:
    while True:
        folder = generations.current(path)
        try:
            contents = load_contents(folder)
            break
        except MedqaError:
            if generations.find_current(path) == folder:  # else a writer replaced and pruned it while we were reading
                raise
    if contents.manifest["inputs"]["encoder"] != encoder.fingerprint:
        raise MedqaError(
            f"wanted an index at {path} made by the encoder given, found another encoder's vectors; set retrieval.encoder to "
            f"the one that made it, or make it again with: medqa index build --index {path}"
        )
    return contents
