import json

import numpy as np
import pytest

from medqa.errors import MedqaError
from medqa.hardware import cpu_has_bf16
from retrieval.encoder import embedded_folder, load_encoder
from retrieval.rerank import load_reranker

TEXTS = ["Asthma narrows the airways.", "Gout hurts joints.", "word " * 200]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A LoRA adapter of the embedded encoder with weights that are not zero, and its vectors before it was merged."""
    import torch
    from peft import LoraConfig, get_peft_model
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(0)
    sentence = SentenceTransformer(str(embedded_folder()))
    model = get_peft_model(sentence[0].model, LoraConfig(r=4, target_modules=["query", "value"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    return folder, sentence.encode(TEXTS, normalize_embeddings=True)


def test_an_adapter_is_merged_into_the_embedded_encoder(adapter):
    folder, expected = adapter
    tuned, stock = load_encoder(str(folder), 8), load_encoder("embedded", 8)
    assert np.allclose(tuned.encode_queries(TEXTS), expected, atol=1e-5)
    assert not np.allclose(tuned.encode_queries(TEXTS), stock.encode_queries(TEXTS), atol=1e-2)
    assert tuned.fingerprint != stock.fingerprint
    assert tuned.fingerprint == load_encoder(str(folder), 2).fingerprint
    assert (tuned.dim, tuned.max_tokens) == (stock.dim, stock.max_tokens)
    assert not any("lora" in name for name, _ in tuned._model.named_parameters())


def test_an_adapter_that_does_not_fit_is_told(adapter, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(adapter[0], tmp_path / "short")
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(MedqaError, match=r"wanted a PEFT adapter .*/short, found one that does not load \(.*missing"):
        load_encoder(str(folder), 8)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"target_modules": ["qkv_proj"]}))
    with pytest.raises(MedqaError, match="does not load") as caught:
        load_encoder(str(folder), 8)
    assert "\n" not in str(caught.value)


def test_a_reranker_is_an_adapter_with_a_head(tmp_path):
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(1)
    base = AutoModelForSequenceClassification.from_pretrained(str(embedded_folder()), num_labels=1)
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=4, target_modules=["query"], modules_to_save=["classifier"])
    model = get_peft_model(base, config).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name or "classifier" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(str(embedded_folder()))
    in_bf16 = torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_bf16())  # as the reranker does
    with torch.inference_mode(), in_bf16:
        alone = [model(**tokenizer("What is gout?", text, return_tensors="pt")).logits.item() for text in TEXTS]
    scores = load_reranker(str(tmp_path)).scores("What is gout?", TEXTS)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(alone, abs=0.02 * max(map(abs, alone)))  # padding moves bf16
