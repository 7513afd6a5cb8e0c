"""``lgca_review``: the panel on which a person decides about one suspected label after the other."""
