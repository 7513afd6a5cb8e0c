"""Boxes, the methods and their formula: region weights, image vectors, scores, and the stopping rule."""
