"""poll_batch: a look that fails for a passing reason is a look that saw no end."""

from __future__ import annotations

import pytest

from batchdrop.batch_lane.poll_batch import POLLS_BEFORE_LOST, PollAnswer, poll_batch
from batchdrop.errors import AccountTrouble, ApiUnavailable, BatchdropError, MessageBatchLost, RateLimited
from batchdrop.job.polling import poll_seconds
from batchdrop.job.submission import Halt
from tests.bodies import create_body
from tests.fakes import START, FakeBatchApi, FakeClock, FakeLedger

JOB = "20261122T120000-0123456789"
CANCELED = Halt("JobCanceled", "canceled by its user", START)


def _look(api: FakeBatchApi, polls: int = 0, *, open_shards: int = 1, ledger: FakeLedger | None = None) -> PollAnswer:
    return poll_batch(
        JOB,
        "msgbatch_0",
        polls,
        open_shards=open_shards,
        ledger=ledger or FakeLedger(),
        api=api,
        clock=FakeClock(),
        jitter=lambda: 0.5,
    )


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
    assert answer == PollAnswer(ended=False, wait_seconds=poll_seconds(polls + 1, open_shards=open_shards, jitter=0.5))


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


def test_account_trouble_is_told_to_all_shards(api: FakeBatchApi) -> None:
    """Waiting does not mend a key: the look fails, and the job asks nothing more."""
    api.unreachable = AccountTrouble("HTTP 401")
    ledger = FakeLedger()
    with pytest.raises(AccountTrouble):
        _look(api, ledger=ledger)
    assert ledger.halted(JOB) == Halt("AccountTrouble", "HTTP 401", START)


def test_a_canceled_job_cancels_what_runs(api: FakeBatchApi) -> None:
    """Its Message Batch is canceled once, and still waited for: what it answered before is paid."""
    ledger = FakeLedger()
    ledger.halt(JOB, CANCELED)
    assert not _look(api, ledger=ledger).ended
    assert not _look(api, 1, ledger=ledger).ended
    assert api.cancels == ["msgbatch_0"]
    assert api.retrieve("msgbatch_0").processing_status == "canceling"


def test_a_cancel_that_was_lost_is_repeated(api: FakeBatchApi) -> None:
    """A look whose cancel fails is a look that saw no end; the next one cancels again."""
    ledger = FakeLedger()
    ledger.halt(JOB, CANCELED)
    cancel = api.cancel

    def lost(batch_id: str) -> None:
        raise ApiUnavailable(batch_id)

    api.cancel = lost  # type: ignore[method-assign] # the fake misbehaves
    assert not _look(api, ledger=ledger).ended
    api.cancel = cancel  # type: ignore[method-assign] # the fake misbehaves
    _look(api, 1, ledger=ledger)
    assert api.cancels == ["msgbatch_0"]


@pytest.mark.parametrize("halt", [None, Halt("AccountTrouble", "HTTP 402", START)])
def test_nothing_but_a_cancel_cancels(api: FakeBatchApi, halt: Halt | None) -> None:
    """A job halted by its account lets run what runs, for it is paid in part already."""
    ledger = FakeLedger()
    if halt:
        ledger.halt(JOB, halt)
    _look(api, ledger=ledger)
    assert api.cancels == []


def test_an_ended_message_batch_is_not_canceled(api: FakeBatchApi) -> None:
    """The end came first: there is nothing to cancel any more."""
    ledger = FakeLedger()
    ledger.halt(JOB, CANCELED)
    api.finish()
    assert _look(api, ledger=ledger).ended
    assert api.cancels == []


@pytest.mark.parametrize("polls", range(POLLS_BEFORE_LOST))
def test_a_fresh_message_batch_may_be_invisible(polls: int) -> None:
    """A retrieve right after the create can answer 404."""
    assert not _look(FakeBatchApi(), polls).ended


def test_a_message_batch_that_stays_away_is_lost() -> None:
    """After the first looks, 404 means 404."""
    with pytest.raises(MessageBatchLost):
        _look(FakeBatchApi(), POLLS_BEFORE_LOST)
