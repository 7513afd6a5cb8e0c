"""``lgca_compare``: the panel beside the grid that compares the methods of a run on the user's view."""
