"""Choosing settings of methods on labelled samples: the grid, scoring in one pass, nested cross-validation."""
