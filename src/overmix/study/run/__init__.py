"""Trains what is missing, in this process or in workers."""
