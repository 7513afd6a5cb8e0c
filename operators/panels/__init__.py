"""The plugin's panels, a folder each, and the components they share."""
