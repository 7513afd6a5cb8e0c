"""Comparing methods on the same samples: agreement, paired tests, and the result of an evaluation."""
