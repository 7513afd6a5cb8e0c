"""Fusing runs of several encoders on the same images into one more method."""
