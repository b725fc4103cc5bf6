"""Evaluation: variants, metrics, runs, comparison. Import from its modules; ``import eval`` would hide the builtin."""
