import json

import numpy as np
import pytest
from tiny_models import save_bert

from medqa.errors import MedqaError
from retrieval.encoder import load_encoder
from retrieval.known_encoders import KNOWN, find_known, partner

TEXTS = ["Asthma narrows the airways.", "Gout hurts joints."]


def by_hand(folder, texts, pooling):
    """Unit vectors with transformers alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state
    mask = tokens["attention_mask"][:, :, None]
    pooled = hidden[:, 0] if pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(pooled, dim=1).numpy()


@pytest.mark.parametrize(
    ("name", "pooling", "query", "passage"),
    [
        ("bge-small-en-v1.5", "cls", "Represent this sentence for searching relevant passages: ", ""),
        ("e5-base-v2", "mean", "query: ", "passage: "),
        ("gte-small", "mean", "", ""),
    ],
)
def test_a_plain_copy_is_used_as_its_authors_say(name, pooling, query, passage, tmp_path):
    folder = save_bert(tmp_path / name, seed=1)
    encoder = load_encoder(str(folder), 8)
    assert np.allclose(encoder.encode_queries(TEXTS), by_hand(folder, [query + t for t in TEXTS], pooling), atol=1e-5)
    expected = by_hand(folder, [passage + t for t in TEXTS], pooling)
    assert (encoder.encode_passages(TEXTS) * expected).sum(1) == pytest.approx(1, abs=2e-3)
    assert encoder.max_tokens == 510 - (2 if passage else 0)


def test_a_pair_of_encoders_works_as_one(tmp_path):
    articles = save_bert(tmp_path / "MedCPT-Article-Encoder", seed=1)
    queries = save_bert(tmp_path / "MedCPT-Query-Encoder", seed=2)
    encoder = load_encoder(str(articles), 8)
    assert (encoder.dim, encoder.max_tokens) == (16, 510)
    assert np.allclose(encoder.encode_queries(TEXTS), by_hand(queries, TEXTS, "cls"), atol=1e-5)
    assert (encoder.encode_passages(TEXTS) * by_hand(articles, TEXTS, "cls")).sum(1) == pytest.approx(1, abs=2e-3)
    long = ["word " * 100, "word " * 62]  # 64 tokens with [CLS] and [SEP]
    first, second = encoder.encode_queries(long)
    assert np.allclose(first, second, atol=1e-5)
    before = encoder.fingerprint
    save_bert(queries, seed=3)
    assert load_encoder(str(articles), 8).fingerprint != before


def test_a_pair_without_its_partner_is_told(tmp_path):
    articles = save_bert(tmp_path / "MedCPT-Article-Encoder", seed=1)
    with pytest.raises(MedqaError, match=r"MedCPT-Query-Encoder, found none that loads"):
        load_encoder(str(articles), 8)


def test_a_copy_is_known_by_its_config_under_another_name(tmp_path):
    folder = save_bert(tmp_path / "mine", seed=1)
    file = folder / "config.json"
    assert find_known(str(folder)) is None
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_name_or_path": "intfloat/e5-small-v2"}))
    assert find_known(str(folder)) == KNOWN["e5-small-v2"]


def test_what_the_folder_says_itself_counts_more(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    plain = save_bert(tmp_path / "plain", seed=1)
    model = SentenceTransformer(modules=[Transformer(str(plain)), Pooling(16, "mean")], prompts={"query": "ask: "})
    model.max_seq_length = 100
    model.save(str(tmp_path / "bge-small-en-v1.5"), create_model_card=False)
    encoder = load_encoder(str(tmp_path / "bge-small-en-v1.5"), 8)
    assert np.allclose(encoder.encode_queries(TEXTS), by_hand(plain, [f"ask: {t}" for t in TEXTS], "mean"), atol=1e-5)
    assert encoder.max_tokens == 98


def test_names():
    assert find_known("BAAI/bge-large-en-v1.5") == KNOWN["bge-large-en-v1.5"]
    assert find_known("some/folder/E5-small-v2/") == KNOWN["e5-small-v2"]
    assert find_known("sentence-transformers/all-MiniLM-L6-v2") is None
    assert partner("ncbi/MedCPT-Article-Encoder", "MedCPT-Query-Encoder") == "ncbi/MedCPT-Query-Encoder"
    assert partner("MedCPT-Article-Encoder", "MedCPT-Query-Encoder") == "MedCPT-Query-Encoder"
    assert all(known.queries in KNOWN for known in KNOWN.values() if known.queries)
