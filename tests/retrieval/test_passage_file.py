import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa.errors import MedqaError
from medqa.records import Passage
from retrieval.passage_file import PassageFile, have_header, titles, write_passages

text = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1)
passages = st.builds(
    Passage,
    id=text,
    pair_id=text,
    text=text,
    sentences=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99))).map(tuple),
    header=st.one_of(st.just(""), text),
    title=text,
)


@settings(max_examples=50)
@given(st.lists(passages, min_size=1, max_size=8))
def test_any_passages_come_back(tmp_path_factory, wanted):
    folder = tmp_path_factory.mktemp("passages")
    write_passages(folder, wanted)
    found = PassageFile.open(folder)
    assert list(found) == wanted
    rows = np.arange(len(wanted))
    assert have_header(found, rows[::2]).tolist() == [
        bool(p.header) for p in wanted[::2]
    ]  # the others, and these again:
    assert have_header(found, rows).tolist() == have_header(wanted, rows).tolist() == [bool(p.header) for p in wanted]
    assert len(set(titles(found))) == len(set(titles(wanted)))
    groups = dict(zip(titles(found), titles(wanted), strict=True))
    assert [groups[t] for t in titles(found)] == [p.title for p in wanted]
    assert found[-1] == wanted[-1] and found[1:3] == tuple(wanted[1:3]) and len(found) == len(wanted)


def test_a_text_that_reads_like_a_line_without_header_does_not_hide_one(tmp_path):
    sly = '"header": ""'
    passages = [
        Passage("a", "a", sly, (), header="Topic"),
        Passage("b", "b", sly, (), title=sly),
        Passage("c", sly, "t", (), header=sly),
    ]
    write_passages(tmp_path, passages)
    assert have_header(PassageFile.open(tmp_path), np.arange(3)).tolist() == [True, False, True]


@pytest.fixture
def folder(tmp_path):
    write_passages(
        tmp_path, [Passage(id=f"p:{i}", pair_id="p", text="ö" * i, sentences=((0, i),)) for i in range(1, 6)]
    )
    return tmp_path


def test_a_row_that_is_not_there(folder):
    for row in (5, -6):
        with pytest.raises(IndexError):
            PassageFile.open(folder)[row]


def test_only_what_is_asked_for_is_read(folder):
    """A damaged line is met when its row is read, and only then."""
    lines = (folder / "passages.jsonl").read_bytes().splitlines(keepends=True)
    lines[2] = b"x" * (len(lines[2]) - 1) + b"\n"
    (folder / "passages.jsonl").write_bytes(b"".join(lines))
    found = PassageFile.open(folder)
    assert [found[i].text for i in (0, 1, 3, 4)] == ["ö", "öö", "öööö", "ööööö"]
    with pytest.raises(MedqaError, match=r"wanted a passage in line 3 of .*passages\.jsonl"):
        found[2]
    with pytest.raises(MedqaError):
        list(found)


def test_a_line_of_another_shape(folder):
    write_passages(folder, PassageFile.open(folder)[:1])
    line = json.dumps({"id": "p"}) + "\n"
    (folder / "passages.jsonl").write_text(line)
    np.save(folder / "passages.npy", np.array([0, len(line)]))
    with pytest.raises(MedqaError, match="line 1"):
        PassageFile.open(folder)[0]


def test_a_truncated_file_is_noticed_at_once(folder):
    path = folder / "passages.jsonl"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match=f"has {size - 4} bytes instead of {size}"):
        PassageFile.open(folder)
