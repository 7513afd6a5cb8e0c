"""The nodes of several encoders for the same images, and what a graph over them is given: pure arrays."""
