"""A random BERT of 32 dimensions as a sentence-transformers folder: every code path of the embedded encoder in milliseconds."""

import string

TEXT = """
what is are the of for a in and how do i have my treatments treatment symptoms causes people affected by answer on number
sentence one two three four topic disease fever rash pain alpha beta gamma delta omega
"""
WORDS = TEXT.split()


def save_tiny_bert(folder):
    """Save it in ``folder`` and return the folder. Words of ``WORDS`` are whole tokens, others fall into letters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [x for x in letters if x not in WORDS] + [f"##{x}" for x in letters]
    wordpiece = BertWordPieceTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    tokenizer = BertTokenizerFast(tokenizer_object=wordpiece._tokenizer, model_max_length=256)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=256,
    )  # fmt: skip
    plain = folder / "plain"
    BertModel(config).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=256)
    SentenceTransformer(modules=[transformer, Pooling(32), Normalize()], device="cpu").save(str(folder))
    return folder
