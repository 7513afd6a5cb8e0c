"""What the panel that compares methods shows of a run: counts, accuracies, lists of samples and selections of them."""
