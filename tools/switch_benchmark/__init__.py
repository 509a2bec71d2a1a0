"""The benchmark of switching policies in the documentation."""
