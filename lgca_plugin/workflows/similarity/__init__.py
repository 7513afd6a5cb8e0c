"""Images found by texts, by images, and texts by images, in the vectors of a fused run."""
