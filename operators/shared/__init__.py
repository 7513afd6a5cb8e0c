"""What several operator families use: parts of forms, the choice of a run, execution with progress."""
