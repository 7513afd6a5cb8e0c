"""Embeddings on disk, in one SQLite file: written by runs, read back by later ones. No FiftyOne, no encoder."""
