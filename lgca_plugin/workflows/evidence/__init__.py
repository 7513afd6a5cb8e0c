"""The evidence behind a sample's predictions, its film strip, and the figures of its descriptions."""
