"""The census: which method over-trains, when, how much, and what helps. One task of its own kind for every recipe."""
