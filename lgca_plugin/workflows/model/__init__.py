"""The methods as FiftyOne models: without a run, a store or a dataset of their own."""
