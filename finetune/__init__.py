"""Fine-tuning: examples and label masks, LoRA and QLoRA of the generator."""
