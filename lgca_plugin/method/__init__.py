"""The methods as pure functions of arrays: no files, no models, no FiftyOne."""
