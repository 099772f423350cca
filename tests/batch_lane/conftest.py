"""What the tests of the batch lane share."""

from __future__ import annotations

import pytest

from tests.jobs import World, dropped, reviews


@pytest.fixture
def world() -> World:
    """A job of two shards with two rows each, split."""
    world = dropped(reviews(4), rows=2)
    world.split()
    return world
