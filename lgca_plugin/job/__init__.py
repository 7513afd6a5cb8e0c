"""A run as a job without a database: a folder of rows, computed in parts by any number of processes on any machines.

Nothing here imports FiftyOne or MongoDB's client. ``workflows/job`` prepares a job's folder and collects its results.
"""
