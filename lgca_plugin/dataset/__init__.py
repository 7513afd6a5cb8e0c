"""The dataset side: the rooms that know FiftyOne."""
