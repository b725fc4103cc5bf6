"""The classes of ``evaluate``: made directly, combined, and loaded by path, all offline."""

import evaluate
import pytest

from eval.huggingface.bleu import Bleu
from eval.huggingface.chrf import Chrf
from eval.huggingface.health import Health
from eval.huggingface.rouge import Rouge
from eval.huggingface.token_f1 import TokenF1
from eval.rouge import rouge_scores
from eval.text_metrics import corpus_chrf
from medqa.paths import PROJECT
from tests.eval.generated_texts import pairs

ANSWERS, REFERENCES = pairs(20)
TEXTS = {"predictions": ANSWERS, "references": REFERENCES}


def test_rouge_is_the_mean_of_ours():
    found = Rouge().compute(**TEXTS)
    ours = rouge_scores(ANSWERS, REFERENCES)
    assert found == {name: pytest.approx(sum(s[name] for s in ours) / 20) for name in ours[0]}


def test_bleu_has_the_keys_of_evaluates():
    found = Bleu().compute(predictions=["the cat sat on the mat."], references=["the cat is on the mat."])
    assert found == {
        "bleu": pytest.approx((6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25),
        "precisions": pytest.approx([6 / 7, 4 / 6, 2 / 5, 1 / 4]),
        "brevity_penalty": 1.0,
        "length_ratio": 1.0,
        "translation_length": 7,
        "reference_length": 7,
    }
    assert Bleu().compute(predictions=[""], references=["gut"])["bleu"] == 0.0


def test_the_others():
    assert Chrf().compute(**TEXTS) == corpus_chrf(ANSWERS, REFERENCES)
    f1 = TokenF1().compute(predictions=["one two", ""], references=["one two", "one"])
    assert f1 == {"token_f1": 0.5, "length_ratio": 0.5}
    health = Health().compute(predictions=["Take 1 g.", "Rest."], references=["Take 1000 mg.", "Call your doctor."])
    assert (health["quantities"], health["quantities_n"]) == (1.0, 1)
    assert (health["care"], health["care_n"]) == (0.0, 1)
    assert (health["contradiction"], health["contradiction_n"]) == (None, 0)


def test_combined():
    found = evaluate.combine([TokenF1(), Rouge()]).compute(**TEXTS)
    assert {"token_f1", "rouge1", "rougeLsum"} <= found.keys()


def test_loaded_by_path(tmp_path, monkeypatch):
    # All in one test: evaluate imports its folder of copied modules once per process.
    monkeypatch.setattr("evaluate.config.HF_MODULES_CACHE", str(tmp_path / "modules"))
    for name, direct in {"rouge": Rouge, "bleu": Bleu, "chrf": Chrf, "token_f1": TokenF1, "health": Health}.items():
        metric = evaluate.load(str(PROJECT / "eval" / "huggingface" / f"{name}.py"))
        assert type(metric) is not direct
        assert metric.compute(**TEXTS) == direct().compute(**TEXTS)
