"""A stack that moves from a key to a role: what runs under the key is neither lost nor sent again."""

from __future__ import annotations

import pytest

from batchdrop.batch_lane.poll_batch import poll_batch
from batchdrop.errors import AccountTrouble, MessageBatchLost
from tests.batch_lane.lost_creates import lose
from tests.fakes import FakeBatchApi
from tests.jobs import JOB, VISIBLE_AFTER, World

AWS = "aws/us-east-1"
MOVES = pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("print", AWS, "sent to the API with its key, and the stack uses Claude Platform on AWS in us-east-1 now"),
        (AWS, "print", "Deploy it with Provider=aws in us-east-1"),
        (AWS, "aws/eu-west-1", "sent to Claude Platform on AWS in us-east-1, and the stack uses"),
    ],
)


def _moved(world: World, key_print: str) -> FakeBatchApi:
    """Return another service, which knows nothing of what the first one created."""
    other = FakeBatchApi()
    other.key_print = key_print
    other.time = world.api.time
    world.api = other
    return other


def _poll(world: World, batch_id: str, polls: int) -> object:
    return poll_batch(
        JOB,
        batch_id,
        polls,
        open_shards=1,
        ledger=world.ledger,
        api=world.api,
        clock=world.clock,
        jitter=lambda: 0.5,
    )


@MOVES
def test_a_running_message_batch_is_not_taken_for_lost(world: World, before: str, after: str, words: str) -> None:
    """The first 404 halts the job, with what to deploy; nothing is sent again."""
    world.api.key_print = before
    batch_id = world.submit().batch_id
    other = _moved(world, after)
    with pytest.raises(AccountTrouble, match=words):
        _poll(world, batch_id, 0)
    halt = world.ledger.halted(JOB)
    assert halt is not None
    assert batch_id in halt.reason
    assert other.calls == 0


@MOVES
def test_a_lost_create_is_not_taken_for_absent(world: World, before: str, after: str, words: str) -> None:
    """Another provider's empty list proves nothing."""
    world.api.key_print = before
    lose(world)
    _moved(world, after)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    with pytest.raises(AccountTrouble, match=words):
        world.settle()


def test_back_with_the_key_the_job_goes_on(world: World) -> None:
    """As the message says: the old provider again, and a resume."""
    first = world.api
    batch_id = world.submit().batch_id
    _moved(world, AWS)
    with pytest.raises(AccountTrouble):
        _poll(world, batch_id, 0)
    world.api = first
    world.ledger.lift(JOB)
    first.finish()
    assert _poll(world, batch_id, 1).ended  # type: ignore[attr-defined]  # a PollAnswer
    assert first.calls == 1


def test_another_workspace_is_named(world: World) -> None:
    """The same provider, and a workspace that does not have it."""
    world.api.workspace, world.api.key_print = "wrkspc_1", AWS
    batch_id = world.submit().batch_id
    _moved(world, AWS).workspace = "wrkspc_2"
    with pytest.raises(AccountTrouble, match="is in workspace wrkspc_1, and the stack uses wrkspc_2 now"):
        _poll(world, batch_id, 0)


def test_one_that_is_gone_is_lost(world: World) -> None:
    """In the same place, 404 means what it says."""
    world.api.key_print = AWS
    batch_id = world.submit().batch_id
    _moved(world, AWS)
    with pytest.raises(MessageBatchLost):
        _poll(world, batch_id, 99)


def test_an_intent_of_the_first_version_was_sent_with_a_key(world: World) -> None:
    """It names neither key nor workspace."""
    world.api.key_print = ""
    batch_id = world.submit().batch_id
    sent = world.ledger.submission(JOB, 0, 0)
    assert sent is not None
    assert sent.is_unnamed
    _moved(world, AWS)
    with pytest.raises(AccountTrouble, match="Provider=anthropic"):
        _poll(world, batch_id, 0)
