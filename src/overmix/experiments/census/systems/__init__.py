"""Rows on small but real systems: the parts, the data and the baselines that the fields of the methods use."""
