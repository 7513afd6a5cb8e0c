"""``lgca_classify``: classifying a dataset or view, with a form that shows what the run will cost."""
