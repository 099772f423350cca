"""Compute the pace of a job or a shard: rows per second, money so far, time left. All are estimates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from batchdrop.cli.job.job_view import ENDED, SHARD_OPEN, JobView, ShardView, Stage
from batchdrop.money.cost import dollars


@dataclass(frozen=True, slots=True)
class Pace:
    """The number of finished rows, and estimates from it.

    `rate` is in rows per second, `usd` is the cost of the collected answers; None if unknown.
    """

    done: int
    rows: int
    rate: float | None = None
    seconds_left: float | None = None
    usd: Decimal | None = Decimal(0)


def job_pace(view: JobView) -> Pace:
    """Return a job's pace, from the rows that were finished since this execution started."""
    done = sum(rows_done(shard) for shard in view.shards)
    since = sum(rows_done(shard) for shard in view.shards if not _was_done_before(shard, view.began_at))
    seconds = None if view.stage in ENDED else _seconds(view.began_at, view.at)
    rate = since / seconds if seconds and since else None
    left = (view.rows - done) / rate if rate and view.stage is Stage.ANSWERING else None
    tokens = [counted for shard in view.shards if shard.tally for counted in shard.tally.tokens]
    return Pace(done, view.rows, rate, left, dollars(tokens))


def shard_pace(shard: ShardView, view: JobView) -> Pace:
    """Return a shard's pace; the time left of an open shard is estimated from collected ones."""
    done = rows_done(shard)
    usd = dollars(shard.tally.tokens) if shard.tally else Decimal(0)
    spent = _seconds(shard.began_at, shard.ended_at or (view.at if shard.stage in SHARD_OPEN else None))
    rate = done / spent if spent and done else None
    if shard.stage is not Stage.ANSWERING:
        return Pace(done, shard.rows, rate, None, usd)
    return Pace(done, shard.rows, rate, _left(shard, done, rate, spent, _usual_seconds(view)), usd)


def rows_done(shard: ShardView) -> int:
    """Return how many of a shard's rows are finished; an open round's rows are in proportion to its requests."""
    if shard.stage not in SHARD_OPEN:
        return shard.rows
    return shard.rows * shard.done // shard.requests if shard.requests else 0


def _left(shard: ShardView, done: int, rate: float | None, spent: float | None, usual: float | None) -> float | None:
    if rate:
        return (shard.rows - done) / rate
    return max(0.0, usual - spent) if usual is not None and spent is not None else None


def _usual_seconds(view: JobView) -> float | None:
    """Return the mean time of the collected shards."""
    known = [
        seconds
        for shard in view.shards
        if shard.stage is Stage.COLLECTED and (seconds := _seconds(shard.began_at, shard.ended_at))
    ]
    return sum(known) / len(known) if known else None


def _was_done_before(shard: ShardView, began_at: datetime | None) -> bool:
    if shard.stage is Stage.NOTHING:
        return True
    return shard.ended_at is not None and began_at is not None and shard.ended_at < began_at


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds between two times; None if one is unknown, or they are in the wrong order."""
    if start is None or end is None or end <= start:
        return None
    return (end - start).total_seconds()
