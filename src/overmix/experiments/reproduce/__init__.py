"""Every experiment of the paper as a study or a computation, with claims that are judged by rule."""
