"""A classification as a job without a database: its folder is prepared from a dataset, its results are collected."""
