"""Rates, money and time left: what can be told of a job, and what cannot."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from batchdrop.answers.tokens import Tokens
from batchdrop.cli.job.job_view import JobView, ShardView, Stage
from batchdrop.cli.job.pace import job_pace, rows_done, shard_pace
from batchdrop.report.tally import Tally

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
USD = Tokens("claude-haiku-5-5", answers=1, input=1_000_000)  # 5 cents in a Message Batch


def at(seconds: float) -> datetime:
    """So many seconds after the job began to ask."""
    return START + timedelta(seconds=seconds)


def collected(number: int, *, seconds: float, tokens: Tokens = USD) -> ShardView:
    """A shard of 100 rows that took so long."""
    tally = Tally(rows=100, answered=100, tokens=[tokens])
    shard = ShardView(number, 100, 100, Stage.COLLECTED, "b", tally, 1, 100)
    shard.began_at, shard.ended_at = START, at(seconds)
    return shard


def answering(number: int, *, done: int = 0) -> ShardView:
    """A shard of 100 rows that is open."""
    return ShardView(number, 100, 100, Stage.ANSWERING, "b", rounds=1, done=done, began_at=START)


def view(*shards: ShardView, now: float = 60, stage: Stage = Stage.ANSWERING) -> JobView:
    """A job of these shards."""
    return JobView("j", stage, list(shards), sum(shard.rows for shard in shards), began_at=START, at=at(now))


def test_a_job_goes_on_as_it_went() -> None:
    """A quarter in a minute leaves three."""
    pace = job_pace(view(collected(0, seconds=60), answering(1), answering(2), ShardView(3, 100, 100)))
    assert (pace.done, pace.rows, pace.rate, pace.seconds_left) == (100, 400, 100 / 60, 180)
    assert pace.usd == Decimal("0.05")


def test_nothing_is_known_before_the_first_answers() -> None:
    """No rate, no time, no money."""
    pace = job_pace(view(answering(0)))
    assert (pace.rate, pace.seconds_left, pace.usd) == (None, None, Decimal(0))


def test_an_ended_job_has_nothing_left() -> None:
    """Nor a rate: when it was looked at says nothing."""
    pace = job_pace(view(collected(0, seconds=5), stage=Stage.SUCCEEDED, now=99_999))
    assert (pace.done, pace.rate, pace.seconds_left) == (100, None, None)


def test_an_earlier_execution_does_not_count_for_the_speed() -> None:
    """A resumed job counts from its resume."""
    before, now = collected(0, seconds=-3_600), collected(1, seconds=30)
    pace = job_pace(view(before, now, answering(2)))
    assert (pace.done, pace.rate) == (200, 100 / 60)


def test_an_unknown_price_is_not_zero() -> None:
    """Not zero."""
    assert job_pace(view(collected(0, seconds=5, tokens=Tokens("gpt")))).usd is None


def test_an_open_shard_is_guessed_from_the_others() -> None:
    """They took 100 s; this one is open for 60."""
    shards = [collected(0, seconds=80), collected(1, seconds=120), answering(2)]
    pace = shard_pace(shards[2], view(*shards))
    assert (pace.done, pace.rate, pace.seconds_left) == (0, None, 40)
    assert shard_pace(shards[2], view(*shards, now=500)).seconds_left == 0


def test_an_open_shard_with_counts_goes_by_them() -> None:
    """Three quarters in a minute leave 20 s."""
    shard = answering(0, done=75)
    assert shard_pace(shard, view(shard)).seconds_left == 20


@pytest.mark.parametrize(
    ("shard", "done"),
    [
        (ShardView(0, 100, 50, Stage.ANSWERING, done=25), 50),  # half of the rows ask the same as others
        (ShardView(0, 100, 0, Stage.NOTHING), 100),
        (ShardView(0, 100, 50, Stage.FAILED), 100),
        (ShardView(0, 100, 100), 0),
    ],
)
def test_rows_follow_their_requests(shard: ShardView, done: int) -> None:
    """Rows without a request have their outcome when the shard has."""
    assert rows_done(shard) == done
