"""``lgca_rescore``: new classes, texts and weights for a run, from its stored embeddings, and suggested settings."""
