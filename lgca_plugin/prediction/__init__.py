"""From embeddings to predictions: scores of all methods, displayed regions and early stopping.

Nothing is encoded, read or written here.
"""
