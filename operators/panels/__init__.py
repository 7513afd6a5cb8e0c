"""The plugin's two panels, a folder each, and the components they share."""
