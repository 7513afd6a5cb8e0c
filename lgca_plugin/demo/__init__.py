"""The demo: a dataset drawn by the package itself, and a tiny CLIP trained on such drawings."""
