"""Reviewing suspected labels one at a time: the queue, each suspect's card, examples of classes, and the summary."""
