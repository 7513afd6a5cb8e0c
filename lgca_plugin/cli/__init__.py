"""The command ``lgca``: one module for each kind of verb, built on what a notebook calls."""
