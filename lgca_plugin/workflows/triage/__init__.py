"""Triage: which samples need review, from a run's predictions, labels and stored embeddings."""
