import pytest

from medqa.records import Passage
from retrieval.filters import make_filters

PASSAGE = Passage("i", "p", "text", ((0, 4),), title="Type 2  Diabetes", source="NIDDK", question_type="treatment")


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        ({}, True),
        ({"sources": ["niddk"]}, True),
        ({"sources": ["GARD", " Niddk "]}, True),
        ({"sources": ["NID"]}, False),
        ({"topics": ["type 2 diabetes"], "question_types": ["Treatment"]}, True),
        ({"topics": ["type 2 diabetes"], "question_types": ["causes"]}, False),
    ],
)
def test_each_filtered_field_must_have_one_of_its_values(wanted, admitted):
    filters = make_filters(**wanted)
    assert filters.admit(PASSAGE) is admitted
    assert bool(filters) is bool(wanted)
