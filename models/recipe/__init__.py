"""How the embedded model was made: corpus builder, tokenizer, training loop, evaluation, export."""
