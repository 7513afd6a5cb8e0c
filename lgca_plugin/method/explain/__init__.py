"""Why methods decide as they do: contributions, misleading crops, stability, and the evidence on one image."""
