"""What proves that the list is complete: the service's clock, the workspace, the key. Else a create stays open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchdrop.batch_lane.settle_submission import Settled
from tests.batch_lane.lost_creates import ABSENT, OPEN, gives_up, lose
from tests.bodies import create_body
from tests.fakes import START
from tests.jobs import JOB, VISIBLE_AFTER, World

SKEW = timedelta(minutes=5)  # what docs/submission-protocol.md promises; the code's constant must not shrink below it


@pytest.mark.parametrize("behind", [timedelta(minutes=1), timedelta(minutes=4, seconds=59)])
def test_ours_is_found_where_the_apis_clock_is_behind(world: World, behind: timedelta) -> None:
    """By the API's clock it was created before our attempt began. Taken for absent, it would be paid twice."""
    world.api.time = START - behind
    lose(world)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_older_message_batches_are_not_looked_at(world: World) -> None:
    """What was created before the attempt, less the skew between two clocks, is not read."""
    world.api.time = START - SKEW - timedelta(seconds=1)
    world.api.create(create_body(2, job=JOB), timeout=1)
    world.api.time = START
    lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT
    assert world.api.reads == 1


@pytest.mark.parametrize("minutes", [-15, -6, 6, 15])
def test_ours_is_found_on_another_clock(world: World, minutes: int) -> None:
    """The service's clock may be far from ours: its own answers say by how much."""
    world.api.skew = timedelta(minutes=minutes)
    world.api.time = START + world.api.skew
    lose(world)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_without_the_services_time_nothing_is_absent(world: World) -> None:
    """What was created at which time there cannot be told."""
    lose(world, arrived=False)
    world.api.skew = None
    world.clock.advance(86_400)
    assert world.settle() == OPEN
    assert "no Date" in gives_up(world)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key_print": "another"}, "may be of another workspace"),
        ({"workspace": "wrkspc_1"}, "another workspace than the one that WorkspaceId names"),
    ],
)
def test_another_workspace_proves_nothing(world: World, change: dict[str, str], why: str) -> None:
    """Its list lacks ours. Back in the workspace of the create, absence is proved."""
    lose(world, arrived=False)
    old = {name: getattr(world.api, name) for name in change}
    vars(world.api).update(change)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == OPEN
    assert why in gives_up(world)
    vars(world.api).update(old)
    assert world.settle() == ABSENT


def test_a_rotated_key_settles(world: World) -> None:
    """It sees a Message Batch that the old key created, so it is of the same workspace."""
    world.submit(1)
    lose(world, arrived=False)
    world.api.key_print = "another"
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_a_key_that_does_not_see_what_the_old_one_created_proves_nothing(world: World) -> None:
    """It is of another workspace, or that Message Batch was deleted."""
    world.submit(1)
    lose(world, arrived=False)
    world.api.key_print = "another"
    world.api.created.clear()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert "does not see msgbatch_0" in gives_up(world)


def _by_the_older_version(world: World) -> None:
    """Let the API's adapter write intents as version 0.1.0 did: without key and workspace."""
    world.api.key_print = ""


def test_an_intent_of_the_older_version_settles(world: World) -> None:
    """It names no key. Nothing contradicts that its key is today's."""
    _by_the_older_version(world)
    lose(world, arrived=False)
    world.api.key_print = "print"
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_a_key_that_does_not_see_what_the_older_version_created_proves_nothing(world: World) -> None:
    """The job's own Message Batch is the witness."""
    _by_the_older_version(world)
    world.submit(1)
    lose(world, arrived=False)
    world.api.key_print = "another"
    created = dict(world.api.created)
    world.api.created.clear()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert "does not see msgbatch_0, which version 0.1.0 created" in gives_up(world)
    world.api.created.update(created)
    assert world.settle() == ABSENT


def test_an_intent_of_the_older_version_does_not_settle_in_a_workspace_that_is_new(world: World) -> None:
    """WorkspaceId was set at the upgrade. A Message Batch of the older version proves that it is the same."""
    _by_the_older_version(world)
    lose(world, arrived=False)
    world.api.workspace = "wrkspc_1"
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert "set it to '' to settle" in gives_up(world)
    world.api.workspace = ""
    world.submit(1)
    world.api.workspace = "wrkspc_1"
    assert world.settle() == ABSENT
