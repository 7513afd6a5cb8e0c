"""``lgca_fuse``: fusing runs of several models into one more method."""
