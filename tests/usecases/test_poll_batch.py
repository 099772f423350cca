"""poll_batch: a look that fails for a passing reason is a look that saw no end."""

from __future__ import annotations

import pytest

from batchdrop.domain.polling import wait_seconds
from batchdrop.errors import AccountTrouble, ApiUnavailable, BatchdropError, MessageBatchLost, RateLimited
from batchdrop.usecases.poll_batch import POLLS_BEFORE_LOST, PollAnswer, poll_batch
from tests.bodies import create_body
from tests.fakes import FakeBatchApi


def _look(api: FakeBatchApi, polls: int = 0, *, open_shards: int = 1, batch_id: str = "msgbatch_0") -> PollAnswer:
    return poll_batch(batch_id, polls, open_shards=open_shards, api=api, jitter=lambda: 0.5)


@pytest.fixture
def api() -> FakeBatchApi:
    """A service with one Message Batch."""
    api = FakeBatchApi()
    api.create(create_body(1), timeout=1)
    return api


@pytest.mark.parametrize("polls", [0, 3, 200])
@pytest.mark.parametrize("open_shards", [1, 1000])
def test_an_open_message_batch_is_waited_for(api: FakeBatchApi, polls: int, open_shards: int) -> None:
    """The wait before the next look is the policy's."""
    answer = _look(api, polls, open_shards=open_shards)
    assert answer == PollAnswer(ended=False, wait_seconds=wait_seconds(polls + 1, open_shards=open_shards, jitter=0.5))


def test_an_ended_message_batch_is_not_waited_for(api: FakeBatchApi) -> None:
    """The end is told at once."""
    api.finish()
    assert _look(api) == PollAnswer(ended=True, wait_seconds=0)


@pytest.mark.parametrize("error", [ApiUnavailable, RateLimited])
@pytest.mark.parametrize("polls", [0, 200])
def test_passing_trouble_is_waited_out(api: FakeBatchApi, error: type[BatchdropError], polls: int) -> None:
    """An hour of 5xx does not lose a paid Message Batch."""
    api.unreachable = error("later")
    assert not _look(api, polls).ended


def test_account_trouble_is_told(api: FakeBatchApi) -> None:
    """Waiting does not mend a key."""
    api.unreachable = AccountTrouble("HTTP 401")
    with pytest.raises(AccountTrouble):
        _look(api)


@pytest.mark.parametrize("polls", range(POLLS_BEFORE_LOST))
def test_a_fresh_message_batch_may_be_invisible(polls: int) -> None:
    """A retrieve right after the create can answer 404."""
    assert not _look(FakeBatchApi(), polls).ended


def test_a_message_batch_that_stays_away_is_lost() -> None:
    """After the first looks, 404 means 404."""
    with pytest.raises(MessageBatchLost):
        _look(FakeBatchApi(), POLLS_BEFORE_LOST)
