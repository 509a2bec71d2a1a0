"""What systems need that no Python package brings."""

from pathlib import Path

import pytest

needs_fashion = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").exists(), reason="Debian's package dataset-fashion-mnist is not there"
)
