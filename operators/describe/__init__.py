"""``lgca_describe_classes``: class descriptions from a language model, which the user chooses and consents to."""
