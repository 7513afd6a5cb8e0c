"""Texts of classes: from files, from templates, or written by a language model. No image, no FiftyOne."""
