"""The use cases, a folder each: they check arguments, compute with the lower packages, and write the results."""
