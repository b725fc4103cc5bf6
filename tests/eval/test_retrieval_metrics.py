"""Equal to trec_eval (through pytrec_eval) to 1e-9 on generated rankings; the TREC files it reads."""

import random

import pytest
import pytrec_eval

from eval.retrieval_metrics import query_scores, ranked, run_scores
from eval.trec import qrels_and_run, read_qrels, read_run, write_qrels, write_run
from medqa.errors import MedqaError
from tests.eval.scored_rows import row

DOCUMENTS = [f"d{n}" for n in range(60)]


def generated(queries=300, most=3, seed=0):
    rng = random.Random(seed)
    qrels, run = {}, {}
    for n in range(queries):
        judged = rng.sample(DOCUMENTS, rng.randrange(1, 25))
        qrels[f"q{n}"] = {d: rng.randrange(-1, most + 1) for d in judged}
        qrels[f"q{n}"][judged[0]] = rng.randrange(1, most + 1)  # at least one relevant
        # Scores that are exact in single precision, which trec_eval keeps; with ties.
        run[f"q{n}"] = {d: rng.randrange(40) / 8 for d in rng.sample(DOCUMENTS, rng.randrange(1, 50))}
    return qrels, run


def test_equal_to_trec_eval():
    qrels, run = generated()
    measures = {"recall.1,5,10", "success.1,5,10", "ndcg_cut.1,5,10", "recip_rank_cut.1,5,10", "recip_rank"}
    judge = pytrec_eval.RelevanceEvaluator(qrels, {m for m in measures if m != "recip_rank_cut.1,5,10"})
    theirs = judge.evaluate(run)
    ours = run_scores(run, qrels, gain="linear")
    for query in qrels:
        for k in (1, 5, 10):
            assert ours[query][f"recall@{k}"] == pytest.approx(theirs[query][f"recall_{k}"], abs=1e-9)
            assert ours[query][f"hit@{k}"] == pytest.approx(theirs[query][f"success_{k}"], abs=1e-9)
            assert ours[query][f"ndcg@{k}"] == pytest.approx(theirs[query][f"ndcg_cut_{k}"], abs=1e-9)
        whole = theirs[query]["recip_rank"]
        assert ours[query]["mrr@10"] == pytest.approx(whole if whole >= 1 / 10 else 0, abs=1e-9)


def test_grades_of_0_and_1_need_no_choice_of_gain():
    qrels, run = generated(50, most=1, seed=1)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(run)
    ours = run_scores(run, qrels)
    assert [ours[q]["ndcg@10"] for q in qrels] == pytest.approx([theirs[q]["ndcg_cut_10"] for q in qrels], abs=1e-9)


def test_a_case_worked_by_hand():
    scores = query_scores(["a", "b", "c"], {"b": 1, "x": 1}, cuts=(1, 2))
    assert scores["hit@1"] == 0.0
    assert (scores["hit@2"], scores["recall@2"], scores["mrr@2"]) == (1.0, 0.5, 0.5)
    assert scores["ndcg@2"] == pytest.approx((1 / 1.5849625007) / (1 + 1 / 1.5849625007))


def test_nothing_to_find_is_null_and_nothing_found_is_zero():
    assert set(query_scores(["a"], {"a": 0}).values()) == {None}
    assert set(query_scores(["a"], {}).values()) == {None}
    assert set(query_scores([], {"a": 1}).values()) == {0.0}


def test_ties_are_broken_as_trec_eval_does():
    assert ranked({"a": 1.0, "c": 1.0, "b": 2.0}) == ["b", "c", "a"]


def test_a_query_left_out_is_refused():
    with pytest.raises(MedqaError, match=r"1 without a ranking \['q2'\]"):
        run_scores({"q1": {}}, {"q1": {"a": 1}, "q2": {"a": 1}})
    with pytest.raises(MedqaError, match="1 without grades"):
        run_scores({"q1": {}, "q2": {}}, {"q1": {"a": 1}})


def test_files_come_back_as_they_went_and_trec_eval_reads_them(tmp_path):
    qrels, run = generated(30)
    run["q0"] = {"d1": 1 / 3, "d2": 1e-17, "d3": 12345.678901234567}
    write_qrels(tmp_path / "qrels", qrels)
    write_run(tmp_path / "run", run, "ours")
    assert read_qrels(tmp_path / "qrels") == qrels
    assert read_run(tmp_path / "run") == run
    with (tmp_path / "qrels").open() as q, (tmp_path / "run").open() as r:
        theirs = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(q), {"recall.10"}).evaluate(
            pytrec_eval.parse_run(r)
        )
    ours = run_scores(read_run(tmp_path / "run"), read_qrels(tmp_path / "qrels"))
    assert [ours[q]["recall@10"] for q in qrels] == pytest.approx([theirs[q]["recall_10"] for q in qrels], abs=1e-9)
    assert (tmp_path / "run").read_text().splitlines()[0] == "q0 Q0 d3 1 12345.678901234567 ours"


def test_rows_of_a_system_as_qrels_and_run(tmp_path):
    rows = [row(1, retrieved=["p9", "p1"], relevant=["p1"]), row(2, retrieved=[], relevant=["p2"])]
    qrels, run = qrels_and_run(rows)
    assert qrels == {"q1": {"p1": 1.0}, "q2": {"p2": 1.0}}
    assert run == {"q1": {"p9": 2.0, "p1": 1.0}, "q2": {}}
    assert run_scores(run, qrels)["q1"]["mrr@10"] == 0.5
    with pytest.raises(MedqaError, match=r"1 without a ranking, e\.g\. q3"):
        qrels_and_run([row(3, variant="plain")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 0 d1", "line 1"),
        ("q1 0 d1 yes", "found 'yes'"),
        ("q1 0 d1 1\n\nq1 0 d1 0", "found it again in .* line 3"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    (tmp_path / "qrels").write_text(line)
    with pytest.raises(MedqaError, match=message):
        read_qrels(tmp_path / "qrels")


def test_ids_with_spaces_and_missing_files_are_refused(tmp_path):
    with pytest.raises(MedqaError, match="white space"):
        write_run(tmp_path / "run", {"q 1": {"d": 1.0}}, "tag")
    with pytest.raises(MedqaError, match="none that can be read"):
        read_run(tmp_path / "nowhere")
