"""Finding wrong labels in one call: classification, or what is missing of it, and the triage, under one progress."""
