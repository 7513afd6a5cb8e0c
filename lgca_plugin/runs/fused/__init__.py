"""Fused runs: their encoders' embeddings together, their weights, and what these answer."""
