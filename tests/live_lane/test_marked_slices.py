"""The live lane marks requests for its own prompt cache, if the job's pilot primed it."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.live_lane.slice import Slice
from batchdrop.requests.cache_mark import CacheMark
from tests.live_lane.slices import KEYS, SliceWorld
from tests.virtual_time import run

MARK = CacheMark(b'"max_tokens":16', b'"max_tokens":16,"marked":true')


@pytest.mark.parametrize(("marks", "marked"), [("live", 10), ("batch", 0), ("", 0)])
def test_requests_are_marked_in_the_lane_that_was_primed(marks: str, marked: int) -> None:
    """A Message Batch's prefix is cold here: the two APIs share no cache."""
    world = SliceWorld()
    world.store.write(KEYS.cache_mark, msgspec.json.encode(MARK))
    world.piece = msgspec.structs.replace(world.piece, marks=marks)
    run(world.work())
    assert sum(b'"marked":true' in body for body in world.api.bodies) == marked
    assert len(world.api.bodies) == 10


def test_a_message_of_an_older_execution_has_no_marks() -> None:
    """Its slice is read as before."""
    old = {"job_id": "j", "shard": 0, "round": 0, "slice": 0, "start": 0, "end": 1, "requests": 1}
    assert msgspec.convert(old, Slice).marks == ""
