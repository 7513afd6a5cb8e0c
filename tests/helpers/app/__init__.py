"""The App without a browser: operators and panels as FiftyOne's server executes them."""
