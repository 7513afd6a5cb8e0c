"""The real App, and figures, in a headless browser."""
