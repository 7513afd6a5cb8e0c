"""The version of this release, and the versions of FiftyOne, torch and open_clip it was tested with."""

__version__ = "0.1.0"
