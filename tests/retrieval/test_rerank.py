import numpy as np
import pytest
from tiny_models import save_bert

from medqa.errors import MedqaError
from retrieval.rerank import load_reranker

PASSAGES = ["gout hurts", "word " * 700, "asthma narrows the airways of the lungs", "x"] * 6


def test_scores_against_one_pair_at_a_time(tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = save_bert(tmp_path / "tiny", seed=4, labels=1)
    scores = load_reranker(str(folder)).scores("what is gout", PASSAGES)  # 24 passages: two batches
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        alone = [
            model(**tokenizer("what is gout", p, truncation=True, max_length=512, return_tensors="pt")).logits.item()
            for p in PASSAGES[:4]
        ]
    assert len({round(x, 3) for x in alone}) == 4
    assert scores == pytest.approx(alone * 6, rel=0.05, abs=0.02)  # bf16 where the CPU has it
    assert load_reranker(str(folder)).scores("what is gout", []).shape == (0,)


def test_sentence_transformers_own_cross_encoder_loads(tmp_path):
    from sentence_transformers import CrossEncoder

    plain = save_bert(tmp_path / "plain", seed=4, labels=1)
    CrossEncoder(str(plain)).save_pretrained(str(tmp_path / "saved"))
    expected = load_reranker(str(plain)).scores("what is gout", PASSAGES)
    assert np.array_equal(load_reranker(str(tmp_path / "saved")).scores("what is gout", PASSAGES), expected)


def test_what_is_no_reranker_is_told_in_one_line(tmp_path):
    with pytest.raises(MedqaError, match=r"wanted a cross-encoder with one score .* found 3 outputs"):
        load_reranker(str(save_bert(tmp_path / "three", seed=1, labels=3)))
    for name in (str(tmp_path / "none"), "nobody/nothing"):
        with pytest.raises(MedqaError, match=r"wanted a cross-encoder called .* found none that loads") as caught:
            load_reranker(name)
        assert "\n" not in str(caught.value)
