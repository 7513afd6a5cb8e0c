"""``lgca_evidence``: the panel beside an open sample that shows which regions decided its labels."""
