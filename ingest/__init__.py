"""Raw files -> cleaned corpus: read, clean, near-duplicates, split, report."""
