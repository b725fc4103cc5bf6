import gzip
import json
import lzma
import zipfile

import pytest

from ingest.encoding import detect_encoding
from ingest.readers import read_rows
from medqa.errors import MedqaError

PAIR = {"id": "a1", "question": "What is it, really?", "answer": 'He said "rest",\nthen "drink".', "topic": "Cold"}


def rows_of(path, **columns):
    return list(read_rows(path, columns))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def csv_text(delimiter=","):
    answer = PAIR["answer"].replace('"', '""')
    return f'id,question,answer,topic\na1,"{PAIR["question"]}","{answer}",Cold\n'.replace(",", "\0").replace(
        "\0", delimiter
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_from_the_header(tmp_path, delimiter):
    text = delimiter.join(["question", "answer"]) + "\n" + delimiter.join(["What is gout?", "A joint disease"]) + "\n"
    [row] = rows_of(write(tmp_path / "x.csv", text))
    assert row.fields == {"question": "What is gout?", "answer": "A joint disease"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = "question,answer\nWhat is Ménière’s disease?,“An inner ear disease” – naïve façade déjà vu über\n"
    [row] = rows_of(write(tmp_path / "x.csv", text, encoding))
    assert row.fields["question"] == "What is Ménière’s disease?"
    assert row.fields["answer"] == "“An inner ear disease” – naïve façade déjà vu über"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("a fever above 38 °C", "cp1252"),
        ("Vysoký krevní tlak je časté onemocnění, které zvyšuje riziko mrtvice. Léčba závisí na příčině", "cp1250"),
        ("Повышенное давление является частым заболеванием", "cp1251"),
    ],
)
def test_statistics_tell_single_byte_encodings_apart(text, encoding):
    assert detect_encoding(text.encode(encoding)) == encoding


def test_one_stray_byte_does_not_cost_the_utf8_lines(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("question,answer\nÄ1,Ö1\nÄ2,Ö2\n".encode() + b"\xc43,\xd63 caf\xe9 \x93x\x94\n")
    assert [r.fields["question"] for r in rows_of(path)] == ["Ä1", "Ä2", "Ä3"]
    assert rows_of(path)[2].fields["answer"] == "Ö3 café “x”"


def test_quoted_line_breaks_nuls_and_line_numbers(tmp_path):
    path = write(tmp_path / "x.csv", 'question,answer\r\n"one\r\ntwo","a\0b"\r\n\r\nthree,four\r\n')
    first, second = rows_of(path)
    assert first.fields == {"question": "one\r\ntwo", "answer": "ab"}
    assert (first.row, second.row) == (2, 5)  # the quoted field takes lines 2 and 3, line 4 is blank


def test_rows_of_the_wrong_width_are_handed_on_with_the_reason(tmp_path):
    path = write(tmp_path / "x.csv", "question,answer\na,b,c\nd\ne,f\n")
    wide, narrow, good = rows_of(path)
    assert wide.problem == "wanted 2 fields, found 3: a,b,c"
    assert narrow.problem == "wanted 2 fields, found 1: d"
    assert (good.row, good.fields["answer"], good.problem) == (4, "f", "")


def test_an_unclosed_quote_costs_its_own_line_only(tmp_path):
    lines = ["question,answer", 'q1,"never closed', *(f"q{n},a{n}" for n in range(2, 30))]
    rows = rows_of(write(tmp_path / "x.csv", "\n".join(lines) + "\n"))
    assert rows[0].row == 2
    assert rows[0].problem.startswith("broken quoting")
    assert [r.fields["question"] for r in rows[1:]] == [f"q{n}" for n in range(2, 30)]


def test_very_long_fields_are_read(tmp_path):
    long = "word " * 100_000  # 500,000 characters; the csv module's default limit is 131,072
    [row] = rows_of(write(tmp_path / "x.csv", f"question,answer\nq,{long}\n"))
    assert len(row.fields["answer"]) == len(long)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_all_formats_compressed_and_plain_agree(tmp_path, suffix, pack, kind):
    import pandas as pd

    path = tmp_path / f"x.{kind}"
    if kind == "jsonl":
        path.write_text(json.dumps(PAIR) + "\n")
    elif kind == "parquet":
        pd.DataFrame([PAIR]).to_parquet(path)
    else:
        write(path, csv_text("\t" if kind == "tsv" else ","))
    packed = tmp_path / f"x.{kind}{suffix}"
    packed.write_bytes(pack(path.read_bytes()))
    [plain], [unpacked] = rows_of(path), rows_of(packed)
    assert plain.fields == unpacked.fields
    assert plain.fields["answer"] == (PAIR["answer"] if kind != "tsv" else 'He said "rest"\t\nthen "drink".')


def test_jsonl_quarantines_what_is_no_object(tmp_path):
    lines = [
        '{"question": "q1", "answer": "a1", "synonyms": ["x", "y"]}',
        "not json",
        "[1, 2]",
        '{"question": {"no": "text"}, "answer": "a"}',
        '{"answer": 12.5, "question": null}',
        "[" * 100_000,
        '{"question": "\\ud800", "answer": NaN}',
    ]
    rows = rows_of(write(tmp_path / "x.jsonl", "\n".join(lines)))
    assert [bool(r.problem) for r in rows] == [False, True, True, True, False, True, False]
    assert rows[0].fields["synonyms"] == "x|y"
    assert rows[4].fields == {"question": "", "answer": "12.5"}
    assert rows[6].fields["answer"] == ""
    assert [r.row for r in rows] == [1, 2, 3, 4, 5, 6, 7]


def test_parquet_lists_and_numbers(tmp_path):
    import pandas as pd

    path = tmp_path / "x.parquet"
    pd.DataFrame({"id": [7], "question": ["q"], "answer": ["a"], "synonyms": [["s", "t"]]}).to_parquet(path)
    [row] = rows_of(path)
    assert row.fields == {"id": "7", "question": "q", "answer": "a", "synonyms": "s|t"}


def test_column_mapping_and_loose_names(tmp_path):
    path = write(tmp_path / "x.csv", "Frage,Antwort,Question Type\nq,a,causes\n")
    [row] = rows_of(path, question="Frage", answer="antwort")
    assert row.fields == {"question": "q", "answer": "a", "question_type": "causes"}


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("x.csv", "Frage,answer\nq,a\n", {}, r"found the columns: Frage, answer; .*--set ingest.columns.question=NAME"),
        ("x.csv", "question,answer\nq,a\n", {"topic": "focus"}, r"wanted a column 'focus'"),
        ("x.csv", "question,answer\nq,a\n", {"qestion": "x"}, r"found 'qestion'"),
        ("x.csv", "", {}, "found an empty file"),
        ("x.csv", "\n \n", {}, "found an empty file"),
        ("x.jsonl", '{"q": "a"}\n', {}, r"found the columns: q"),
        ("x.parquet", "no parquet at all", {}, "found .* unreadable"),
        ("x.txt", "question", {}, "wanted csv, tsv, jsonl, parquet"),
        ("x.csv.gz", "not compressed", {}, "damaged"),
        ("x.jsonl.xz", "not compressed", {}, "damaged"),
        ("x.zip", "not a zip", {}, "unreadable"),
    ],
)
def test_unusable_inputs_say_what_to_do(tmp_path, name, content, columns, message):
    path = write(tmp_path / name, content)
    with pytest.raises(MedqaError, match=message):
        rows_of(path, **columns)


def test_truncated_gzip_is_an_error_not_a_short_corpus(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(
        gzip.compress(b"question,answer\n" + b"".join(b"q%d,a%d\n" % (n, n * 7919) for n in range(20_000)))[:-2000]
    )
    with pytest.raises(MedqaError, match="damaged"):
        rows_of(path)


def test_missing_file(tmp_path):
    with pytest.raises(MedqaError, match="found nothing there"):
        rows_of(tmp_path / "none.csv")


DOCUMENT = """<?xml version="1.0"?>
<Document id="7" source="GARD" url="https://example.org/7">
<Focus>Gout</Focus><FocusAnnotations><Synonyms><Synonym>Podagra</Synonym><Synonym> </Synonym></Synonyms></FocusAnnotations>
<QAPairs><QAPair pid="1"><Question qid="7-1" qtype="causes">What causes Gout ?</Question><Answer>{0}</Answer></QAPair>
<QAPair pid="2"><Question qid="7-2" qtype="treatment">How is Gout treated ?</Question><Answer></Answer></QAPair></QAPairs>
</Document>"""


@pytest.fixture
def medquad(tmp_path):
    folder = tmp_path / "medquad" / "1_GARD_QA"
    folder.mkdir(parents=True)
    (folder / "1.xml").write_text(DOCUMENT.format("Uric acid &amp; its crystals."))
    (folder / "2.xml").write_text(DOCUMENT.format(""))
    (folder / "3.xml").write_text("<Document><broken></Document>")
    (folder / "4.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]>' + "<Document/>")
    return tmp_path / "medquad"


def test_medquad_folder(medquad):
    rows = rows_of(medquad)
    assert rows[0].fields == {
        "id": "GARD-7-1",
        "question": "What causes Gout ?",
        "answer": "Uric acid & its crystals.",
        "source": "GARD",
        "url": "https://example.org/7",
        "topic": "Gout",
        "question_type": "causes",
        "synonyms": "Podagra",
    }
    assert [(r.file.split("/")[-1], r.row, r.unanswered, bool(r.problem)) for r in rows] == [
        ("1.xml", 1, False, False),
        ("1.xml", 2, False, False),
        ("2.xml", 1, True, False),
        ("2.xml", 2, True, False),
        ("3.xml", 1, False, True),
        ("4.xml", 1, False, True),
    ]


def test_medquad_zip_reads_as_the_folder(medquad, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for path in medquad.rglob("*.xml"):
            archive.write(path, path.relative_to(medquad))
    assert [r.fields for r in rows_of(tmp_path / "m.zip")] == [r.fields for r in rows_of(medquad)]


def test_folder_without_documents(tmp_path):
    with pytest.raises(MedqaError, match="wanted MedQuAD's XML documents"):
        rows_of(tmp_path)
