"""``lgca_triage``: sorting a run's samples by case, and finding suspected label errors."""
