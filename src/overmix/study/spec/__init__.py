"""The study as a file says it: read, checked, its parts named."""
