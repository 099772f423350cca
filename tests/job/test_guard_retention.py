"""guard_retention: paid answers that nobody has collected are told of in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from batchdrop.job.guard_retention import RESULTS_KEPT, UNCOLLECTED_WARNING, Endangered, guard_retention
from batchdrop.job.submission import Submission
from batchdrop.limits import LEDGER_KEPT
from tests.fakes import START, FakeClock, FakeLedger

SENT = Submission("job-a", 0, 0, 5, "a", START, START)


def _ledger(*shards: int, days_apart: int = 0) -> FakeLedger:
    ledger = FakeLedger()
    for shard in shards:
        one = replace(SENT, shard=shard, sent_at=START + timedelta(days=days_apart * shard))
        ledger.begin(one)
        ledger.accept(one, f"msgbatch_{shard}")
    return ledger


def _guard(ledger: FakeLedger, after: timedelta) -> list[Endangered]:
    clock = FakeClock()
    clock.advance(after.total_seconds())
    return guard_retention(ledger=ledger, clock=clock).endangered


@pytest.mark.parametrize(("after", "count"), [(timedelta(0), 0), (timedelta(seconds=1), 1), (timedelta(days=9), 1)])
def test_only_what_waits_too_long_is_told(after: timedelta, count: int) -> None:
    """Up to the warning's age a job is simply slow; and after the API has dropped them it is told still."""
    assert len(_guard(_ledger(0), UNCOLLECTED_WARNING + after)) == count


def test_the_days_left_are_those_until_the_api_drops_them() -> None:
    """The most urgent first; negative when it is too late."""
    found = _guard(_ledger(2, 0, 1, days_apart=3), timedelta(days=30))
    assert [one.submission.shard for one in found] == [0, 1, 2]
    assert [one.days_left for one in found] == pytest.approx([-1.0, 2.0, 5.0])


def test_what_was_collected_or_not_accepted_is_not_told() -> None:
    """Answers in the bucket are safe, and where there is no Message Batch there are none."""
    ledger = _ledger(0)
    ledger.collected("job-a", 0, 0, START)
    ledger.begin(replace(SENT, shard=1))
    assert _guard(ledger, timedelta(days=28)) == []


def test_there_is_a_week_to_act() -> None:
    """Warned a week before the API drops them, and the ledger remembers for longer than the API."""
    assert timedelta(days=7) <= RESULTS_KEPT - UNCOLLECTED_WARNING
    assert LEDGER_KEPT > RESULTS_KEPT


def test_the_oldest_is_told_before_it_is_in_danger() -> None:
    """In days since it was sent; 0 where all is collected."""
    clock = FakeClock()
    clock.advance(timedelta(days=9).total_seconds())
    found = guard_retention(ledger=_ledger(0, 1, days_apart=3), clock=clock)
    assert found.oldest_days == pytest.approx(9.0)
    assert found.endangered == []
    assert guard_retention(ledger=FakeLedger(), clock=clock).oldest_days == 0.0
