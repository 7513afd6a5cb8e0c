"""Several devices of this machine, such as its GPUs: a process for each encodes and scores, and one writes.

Nothing here imports FiftyOne or MongoDB's client.
"""
