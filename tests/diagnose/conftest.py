from __future__ import annotations

from collections.abc import Iterator

import pytest
from jaxtyping import config


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """As users have it: without the shape checks of the tests, so that the error they would see is the one raised."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
