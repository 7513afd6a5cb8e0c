"""Rescoring and sweeps: new predictions and better settings from stored embeddings, without encoding an image."""
