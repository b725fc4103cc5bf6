import re

from eval.effects import GROUPED
from eval.measures import MEASURES, PER_ANSWER
from medqa.paths import PROJECT


def test_every_measure_is_documented_and_nothing_else():
    table = [line for line in (PROJECT / "docs" / "measures.md").read_text().splitlines() if line.startswith("| `")]
    named = [name for line in table for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(MEASURES)
    for place in {p for line in table for p in re.findall(r"`([^`]+\.py)`", line)}:
        assert (PROJECT / place).is_file()


def test_labels_are_told_apart_and_groups_are_measures():
    assert len({m.label for m in MEASURES.values()}) == len(MEASURES)
    assert set(GROUPED) <= set(PER_ANSWER)
