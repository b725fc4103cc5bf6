"""Whatever bytes come in: no crash, and every row is kept or dropped with a reason."""

import csv
import gzip
import io
import random
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.build import SplitPlan, clean, split_and_certify
from ingest.corpus import read_corpus
from ingest.readers import read_rows
from ingest.rules import REASONS, Rules
from ingest.screen import count_rows
from ingest.spool import Spool
from ingest.writing import write_corpus
from medqa.errors import MedqaError
from medqa.manifest import write_manifest
from medqa.records import SPLITS

HEADER = b"id,question,answer,topic\n"
ROWS = (
    b'1,"What is gout, really?","A painful\r\ndisease of ""joints"".",Gout\n'
    b"2,What causes gout?,Crystals of uric acid form in the joint.,Gout\n"
    b"3,What is croup?,A viral infection with a barking cough \xe2\x80\x93 mostly in children.,Croup\n"
    b"4,Why?,Nobody knows the reason for it.,\n"
    b"5,What is m\xe9ni\xe8re?,An inner ear disease of adults.,Ear\n"
)
SPICE = (
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"a" * 5000,
    b"<p>",
    b"&#0;",
    b"\x85",
    b";",
    b"\t",
    b"|",
)
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def mutate(seed, edits):
    rng = random.Random(seed)
    data = bytearray(ROWS * 3)
    for _ in range(edits):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[place:place] = rng.choice(SPICE)
            case 1:
                del data[place : place + rng.randrange(1, 40)]
            case 2 if place < len(data):
                data[place] = rng.randrange(256)
            case _:
                data[place:place] = data[: rng.randrange(1, 60)]
    return bytes(data)


@contextmanager
def checked(path):
    """Read and clean; the rows that a plain count of the reader gives must all be accounted for."""
    raw = list(read_rows(path, {}))
    with Spool(path.parent) as kept, Spool(path.parent) as drops, Spool(path.parent) as screened:
        cleaned = clean(iter(raw), Rules(), "report", True, True, kept, drops, screened)
        assert len(cleaned.rows) + len(cleaned.drops) == len(raw)
        assert all(d.reason in REASONS for d in cleaned.drops)
        numbers = [r.row for r in raw]
        assert numbers == sorted(set(numbers))  # no line is read as two rows
        yield raw, cleaned


def check(path):
    with checked(path):
        pass


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 12))
def test_mutated_csv(tmp_path_factory, seed, edits):
    path = tmp_path_factory.mktemp("m") / "x.csv"
    path.write_bytes(HEADER + mutate(seed, edits))
    check(path)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_after_a_header(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("b")
    for name in ("x.csv", "x.tsv", "x.jsonl"):
        (folder / name).write_bytes((HEADER if name != "x.jsonl" else b'{"question": "q", "answer": "a"}\n') + data)
        try:
            check(folder / name)
        except MedqaError:  # the header itself may have been spoilt: in a tsv it has one column
            assert name == "x.tsv" or data


def spoil(rng):
    """A file name and its bytes: rows mutated, and by chance cut, re-encoded, with huge fields or a damaged archive."""
    data = HEADER + mutate(rng.randrange(10**9), rng.randrange(10))
    match rng.randrange(10):
        case 0:
            data = data[: rng.randrange(len(data))]
        case 1:
            data = data.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-8-sig", "utf-32"]))
        case 2:
            data = data.decode("utf-8", "replace").encode(
                rng.choice(["latin-1", "cp1252", "cp1250", "koi8-r"]), "replace"
            )
        case 3:
            place = rng.randrange(len(HEADER), len(data))
            data = data[:place] + rng.choice([b"x", b" ", b'"', b"a b ", b"\0", b"<p>"]) * 50_000 + data[place:]
        case 4:
            data = data.replace(b"\n", rng.choice([b"\r", b"\r\n", b"\n\n", b"\n\r"]))
        case 5:
            data = data.replace(b",", rng.choice([b";", b"\t", b"|"]))
        case 6:
            packed = bytearray(gzip.compress(data, 1))
            if rng.random() < 0.5:
                packed = packed[: rng.randrange(1, len(packed))]
            else:
                packed[rng.randrange(len(packed))] ^= 1 << rng.randrange(8)
            return "x.csv.gz", bytes(packed)
    return "x.csv", data


def read_spoilt(folder, files):
    """Read and clean that many spoilt files, each either read, its rows all accounted for, or refused in one line.

    Returns how many were read, how many refused, and how many rows were read. ``benchmarks/ingest.py`` runs 20,000.
    """
    rng = random.Random(0)
    read = refused = rows = 0
    for _ in range(files):
        name, data = spoil(rng)
        (folder / name).write_bytes(data)
        try:
            with checked(folder / name) as (raw, _):
                read, rows = read + 1, rows + len(raw)
        except MedqaError as error:
            assert "\n" not in str(error) and "wanted" in str(error)
            refused += 1
    return read, refused, rows


def test_spoilt_files_are_read_or_refused(tmp_path):
    read, refused, rows = read_spoilt(tmp_path, 600)
    assert read + refused == 600
    assert read > 400 and refused > 20 and rows > 3_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=120)), max_size=8))
def test_well_formed_csv_comes_back_cell_by_cell(tmp_path_factory, cells):
    """Second implementation: Python's csv writer. Leading spaces and NULs are not content."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow(["question", "answer"])
    cells = [(q, a.replace("\0", "")) for q, a in cells]
    cells = [tuple(t.encode("utf-8", "ignore").decode().replace("\0", "") for t in pair) for pair in cells]
    writer.writerows(cells)
    path = tmp_path_factory.mktemp("w") / "x.csv"
    path.write_bytes(stream.getvalue().encode("utf-8"))
    assert [(r.fields["question"], r.fields["answer"]) for r in read_rows(path, {})] == cells


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**9))
def test_whatever_survives_makes_a_corpus_that_reads_back(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("c")
    (folder / "x.csv").write_bytes(HEADER + mutate(seed, 8))
    with checked(folder / "x.csv") as (raw, cleaned):
        if not cleaned.rows.ids:
            return
        made = split_and_certify(cleaned, SplitPlan(shares=SHARES))
        made.report["phi"] = count_rows(cleaned.screened, "report")
        assert made.report["rows"]["in"] == len(raw) == len(made.rows) + len(made.drops)
        write_corpus(folder, made, cleaned.screened)
        write_manifest(folder, "corpus", {}, {}, {})
        assert list(read_corpus(folder).pairs) == [pair for split in SPLITS for pair in made.pairs(split)]
        with (folder / "dropped.csv").open(newline="", encoding="utf-8") as stream:
            assert sum(1 for _ in csv.DictReader(stream)) == len(made.drops)
