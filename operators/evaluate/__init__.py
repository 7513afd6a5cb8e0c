"""``lgca_evaluate``: how often each method of a run is right, and which differences are more than chance."""
