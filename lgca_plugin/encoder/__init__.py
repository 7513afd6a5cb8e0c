"""Models that embed images and texts: the base class, open_clip's models, and objects of a user's own."""
