"""The tasks of the census, one file for each kind."""
