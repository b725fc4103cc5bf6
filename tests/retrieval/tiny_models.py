"""Random transformers with two small layers, saved as the models that they stand for are."""

from pathlib import Path

from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

from retrieval.encoder import embedded_folder


def config(**more):
    return BertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=512,
        **more,
    )


def save_bert(folder: Path, seed: int, labels: int = 0) -> Path:
    """A bare BERT, or a classifier with ``labels`` outputs, with the embedded encoder's tokenizer."""
    import torch

    torch.manual_seed(seed)
    model = BertForSequenceClassification(config(num_labels=labels)) if labels else BertModel(config())
    for name, parameter in model.named_parameters():  # BERT's own initialisation leaves all texts nearly alike
        if "LayerNorm" not in name:
            torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(embedded_folder())).save_pretrained(folder)
    return folder
