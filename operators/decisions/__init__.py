"""``lgca_decide``, ``lgca_undo_decision`` and ``lgca_export_decisions``: decisions about suspected labels."""
