"""Runs as data: their records, saved views, evaluations and stored texts, and deleting them. No use case of a run."""
