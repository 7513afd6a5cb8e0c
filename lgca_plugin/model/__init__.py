"""Encoders and what feeds them: crops for the image tower, prompts for the text tower."""
