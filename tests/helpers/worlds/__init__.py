"""Datasets, runs and stores with known contents; each module makes one kind of them."""
