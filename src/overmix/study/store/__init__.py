"""The run directory: locked, checked, written whole or not at all."""
