"""Classification: options are checked into a request, prepared into a plan, then encoded and written."""
