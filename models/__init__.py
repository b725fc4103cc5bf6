"""Embedded models and the recipe that made them."""
