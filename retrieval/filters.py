"""Which passages a search may find: by source, topic and question type."""

from collections.abc import Iterable
from dataclasses import dataclass

from medqa.records import Passage


@dataclass(frozen=True, slots=True)
class Filters:
    """Values that a passage must have, folded; an empty set admits everything. Values of one field are alternatives."""

    sources: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    question_types: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.sources or self.topics or self.question_types)

    def admit(self, passage: Passage) -> bool:
        """True if each field that is filtered has one of its values; case and white space do not count."""
        return (
            _in(passage.source, self.sources)
            and _in(passage.title, self.topics)
            and _in(passage.question_type, self.question_types)
        )


def make_filters(
    sources: Iterable[str] = (), topics: Iterable[str] = (), question_types: Iterable[str] = ()
) -> Filters:
    """Filters from values as people type them."""
    return Filters(*(frozenset(map(_fold, values)) for values in (sources, topics, question_types)))


def _in(value: str, wanted: frozenset[str]) -> bool:
    return not wanted or _fold(value) in wanted


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
