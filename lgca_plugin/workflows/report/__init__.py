"""A run as one page for people without the App, and the files that go with it."""
