"""Image files and crops: reading, decoding, cutting, resizing and normalizing. Models are in ``encoder``."""
