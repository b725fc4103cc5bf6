import json

import pytest

from ingest.corpus import write_pairs
from medqa.cli import main
from medqa.errors import MedqaError
from medqa.records import QAPair
from medqa.settings import load_settings
from retrieval import command
from retrieval.ranking import Ranking

TOPICS = {
    "asthma": "Asthma is a disease in which the airways of the lungs become narrow. Inhalers open them.",
    "gout": "Gout causes painful swelling of the joints. Uric acid forms crystals in them.",
    "migraine": "A migraine is a throbbing headache. Light and sound make it worse.",
    "anaemia": "Anaemia means too few red blood cells. Iron tablets often help.",
}
ASKED = [
    ("q1", "Which illness makes breathing hard?"),
    ("q2", "my big toe hurts at night"),
    ("q0", "pale and tired, blood?"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    pairs = [QAPair(id=n, question=f"What is {n}?", answer=a, topic=n, source="Sample") for n, a in TOPICS.items()]
    with (folder / "corpus.csv").open("w") as stream:
        write_pairs(stream, pairs)
    settings = load_settings(None, ["retrieval.k=2", "passages.max_tokens=16"])
    summary = command.build(folder / "corpus.csv", folder / "index", settings)
    return folder, settings, summary


def test_the_verbs_from_build_to_rollback(made, tmp_path):
    folder, settings, summary = made
    index = tmp_path / "index"
    assert (summary["pairs"], summary["calibration"]["threshold"]) == (4, None)
    first = command.build(folder / "corpus.csv", index, settings, limit=3, share=(folder / "index",))
    assert (first["pairs"], first["embedded"]) == (3, 0)
    updated = command.update(folder / "corpus.csv", index, settings)
    assert (
        updated["diff"]["added"] == 1
        and updated["embedded"] == updated["diff"]["to_embed"] == updated["diff"]["passages_new"]
    )
    assert command.verify(index, settings) == {
        "index": str(index), "generation": "000002", "sound": True, "problems": [],
    }  # fmt: skip
    assert command.stats(index)["pairs"] == 4
    assert command.rollback(index)["generation"] == "000001"
    assert command.stats(index)["pairs"] == 3


def test_search_finds_what_the_words_do_not_say(made):
    folder, settings, _ = made
    found = command.search(folder / "index", "Which illness makes breathing hard?", settings)
    assert found["hits"][0]["pair_id"] == "asthma"
    assert len(found["hits"]) == 2 and found["hits"][0]["source"] == "Sample"
    passages = command.search(folder / "index", "gout", settings, unit="passage")["hits"]
    assert {h["pair_id"] for h in passages} == {"gout"} and len(passages) == 2
    with pytest.raises(MedqaError, match="wanted a question"):
        command.search(folder / "index", "  ", settings)


def test_a_run_file_has_one_line_per_query_in_order(made, tmp_path):
    folder, settings, _ = made
    queries = tmp_path / "q.jsonl"
    queries.write_text("\ufeff" + "".join(json.dumps({"id": i, "question": q, "more": 1}) + "\n\n" for i, q in ASKED))
    out = tmp_path / "runs" / "run.jsonl"
    assert command.search_file(folder / "index", queries, out, settings)["queries"] == 3
    run = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["id"], r["question"]) for r in run] == ASKED
    assert [r["hits"][0]["pair_id"] for r in run] == ["asthma", "gout", "anaemia"]
    for line in run:
        assert set(line) == {"id", "question", "hits"} and len(line["hits"]) == 2
        assert {frozenset(h) for h in line["hits"]} == {frozenset(("pair_id", "passage_id", "score", "text"))}
        assert line["hits"][0]["score"] >= line["hits"][1]["score"]
        alone = command.search(folder / "index", line["question"], settings)["hits"]
        assert [h["passage_id"] for h in alone] == [h["passage_id"] for h in line["hits"]]


def test_a_smoke_run_takes_the_first_queries(made, tmp_path):
    folder, settings, _ = made
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"id": i, "question": q}) + "\n" for i, q in ASKED))
    command.search_file(folder / "index", tmp_path / "q.jsonl", tmp_path / "run.jsonl", settings, limit=2)
    assert [json.loads(line)["id"] for line in (tmp_path / "run.jsonl").read_text().splitlines()] == ["q1", "q2"]


@pytest.mark.parametrize(
    ("text", "message"), [('{"id": "a", "question": "x"}\n\nnonsense\n', "line 3"), ("\n", "found none")]
)
def test_bad_queries_are_told_and_leave_the_old_run(text, message, made, tmp_path):
    folder, settings, _ = made
    (tmp_path / "q.jsonl").write_text(text)
    (tmp_path / "run.jsonl").write_text("old")
    with pytest.raises(MedqaError, match=message):
        command.search_file(folder / "index", tmp_path / "q.jsonl", tmp_path / "run.jsonl", settings)
    assert (tmp_path / "run.jsonl").read_text() == "old"


def test_missing_inputs_are_told_before_the_encoder_is_loaded(made, tmp_path, monkeypatch):
    folder, settings, _ = made
    monkeypatch.setattr(command, "load_encoder", lambda *a: pytest.fail("the encoder was loaded"))
    with pytest.raises(MedqaError, match="wanted a queries file"):
        command.search_file(folder / "index", tmp_path / "none.jsonl", tmp_path / "run.jsonl", settings)
    with pytest.raises(MedqaError, match="wanted an index"):
        command.search(tmp_path / "none", "gout", settings)
    with pytest.raises(MedqaError, match="wanted an index"):
        command.update(folder / "corpus.csv", tmp_path / "none", settings)
    with pytest.raises(MedqaError):
        command.build(tmp_path / "none.csv", tmp_path / "i", settings)


def test_filters_hold_for_one_question_and_for_a_file(made, tmp_path, capsys):
    folder, _, _ = made
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"id": i, "question": q}) + "\n" for i, q in ASKED))
    flags = ["--index", str(folder / "index"), "--topic", "GOUT", "--topic", "migraine", "--source", "sample", "--json"]
    assert main(["search", *flags, "Which illness makes breathing hard?"]) == 0
    assert {hit["title"] for hit in json.loads(capsys.readouterr().out)["hits"]} == {"gout", "migraine"}
    run = tmp_path / "run.jsonl"
    assert main(["search", *flags, "--queries", str(tmp_path / "q.jsonl"), "--out", str(run)]) == 0
    hits = [json.loads(line)["hits"] for line in run.read_text().splitlines()]
    assert [{hit["pair_id"] for hit in found} for found in hits] == [{"gout", "migraine"}] * 3
    capsys.readouterr()
    assert main(["search", *flags, "--question-type", "none such", "gout"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"] == []


def test_the_settings_become_one_way_of_ranking(monkeypatch):
    monkeypatch.setattr(command, "load_reranker", lambda name: f"loaded {name}")
    monkeypatch.setattr(command, "load_aspects", lambda name, encoder: f"{name} of {encoder}" if name else None)
    options = ["candidates=7", "lexical_weight=0.4", "fusion=rrf", "variety=0.2", "reranker=x", "rerank=5"]
    options += ["encoder=none", "aspects=a", "aspect_weight=0.3", "topic_weight=0.2"]
    settings = load_settings(None, [f"retrieval.{option}" for option in options])
    assert command.load_ranking(settings.retrieval, "e") == Ranking(
        candidates=7, lexical_weight=0.4, fusion="rrf", aspects="a of e", aspect_weight=0.3, topic_weight=0.2, variety=0.2,
        reranker="loaded x", rerank=5,
    )  # fmt: skip
    assert command.load_ranking(load_settings(None, ["retrieval.aspects=null"]).retrieval, "e") == Ranking()
    with pytest.raises(MedqaError, match=r"retrieval\.lexical_weight"):
        load_settings(None, ["retrieval.lexical_weight=1.5"])
