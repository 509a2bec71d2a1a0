"""One file for each integration: how it trains the kit's task."""
