"""A create whose answer is lost, and how it is settled."""

from __future__ import annotations

import pytest

from batchdrop.batch_lane.settle_submission import Settled
from batchdrop.errors import SubmissionUncertain, SubmissionUnsettled
from tests.jobs import JOB, World

OPEN, ABSENT = Settled("open"), Settled("absent")


def lose(world: World, *, arrived: bool = True, shard: int = 0) -> None:
    """Lose the answer to a create, which arrived or did not; the attempt says that it is over."""
    setattr(world.api, "lose_next" if arrived else "refuse_next", SubmissionUncertain("lost"))
    with pytest.raises(SubmissionUncertain):
        world.submit(shard)


def state_of(world: World) -> str:
    """Return the ledger's state of the first shard's first round."""
    sent = world.ledger.submission(JOB, 0, 0)
    assert sent is not None
    return sent.state


def gives_up(world: World) -> str:
    """Look for the last time; return what the user is told."""
    with pytest.raises(SubmissionUnsettled) as gave_up:
        world.settle(is_last=True)
    assert state_of(world) == "sent"
    return str(gave_up.value)
