"""``lgca_find_wrong_labels``: the one way in, from a dataset with labels to the review of those that look wrong."""
