"""Schedules of the live lane: what is drawn for its jobs, and what breaks around its workers."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.faults.schedule import ROW_KINDS, Fault, Live, Rates, Schedule, Stray, Trouble, plain

MESSAGES = "messages.create"
MIXED = 0.35  # the share of jobs that begin in the batch lane, and come over late, or with their leftovers
WORKER = "answer_requests"

SMALL = Live(
    lane="live", finish_within=None, leftovers_live=False, window=2, flush_lines=2, slice_requests=4, workers=2,
    latency=1.0, requests_per_minute=50_000.0,
)  # fmt: skip

# The account's trouble ends the tasks of a first round, and the deletion of their messages is lost.
HALTED = plain(
    ("",) * 6, live=SMALL, rates=Rates(redelivery=1.0), trouble=Trouble(0.0, 2.0, 401), stormy_resumes=9
)  # fmt: skip

_FAULTS: tuple[tuple[int, Fault], ...] = (
    (5, {"kind": "rate_limited", "retry_after": (None, 1.0, 20.0, 300.0), "times": (1, 5, 20, 60)}),
    (4, {"kind": "error_before_accept", "status": (500, 529), "times": (1, 3, 10, 40)}),
    (3, {"kind": "drop_before_accept", "times": (1, 2, 5)}),
    (3, {"kind": "accept_then_drop", "times": (1, 2, 5)}),
    (2, {"kind": "error_after_accept", "status": (500, 504), "times": (1, 2)}),
    (2, {"kind": "error_before_accept", "status": 502, "times": (1, 5, 20)}),
    (2, {"kind": "page_after_accept", "status": (200, 502, 503, 524), "times": (1, 2)}),
    (2, {"kind": "stream_error", "status": (429, 500, 529), "fraction": (0.0, 0.5), "times": (1, 3, 10)}),
    (1, {"kind": "stream_dropped", "fraction": (0.1, 0.5, 0.99), "times": (1, 2)}),
)


def with_live_lane(schedule: Schedule) -> Schedule:
    """Return the schedule with a job that is answered live, from its start or once it is late."""
    rng = random.Random(f"live of {schedule.seed}")
    rows = tuple(rng.choices([*ROW_KINDS], [*ROW_KINDS.values()], k=rng.randint(1, 30)))
    soon = rng.choice((10, 60, 400))
    return replace(
        schedule,
        rows=rows,
        shard_rows=max(1, -(-len(rows) // rng.randint(1, 3))),
        live=_live(rng),
        rates=_rates(rng, schedule.rates),
        faults=(*schedule.faults, *_faults(rng)),
        cancel_at=rng.uniform(0, soon) if rng.random() < 0.15 else None,
        stop_at=rng.uniform(0, soon) if rng.random() < 0.15 else None,
        trouble=_trouble(rng, soon) if rng.random() < 0.12 else None,
        strays=tuple(_stray(rng) for _ in range(rng.choice((0, 0, 1, 2)))),
        longest_rest=rng.choice((20.0, 200.0, 2000.0)),
    )


def _live(rng: random.Random) -> Live:
    is_mixed = rng.random() < MIXED
    return Live(
        lane="batch" if is_mixed else "live",
        finish_within=rng.choice((5, 30, 120, 600)) if is_mixed and rng.random() < 0.7 else None,
        leftovers_live=is_mixed and rng.random() < 0.6,
        window=rng.choice((1, 2, 3, 5)),
        flush_lines=rng.choice((1, 2, 4)),
        slice_requests=rng.choice((2, 4, 8, 30)),
        workers=rng.choice((2, 2, 5)),
        latency=rng.choice((0.3, 1.2, 1.2, 10.0, 40.0)),
        requests_per_minute=rng.choice((50_000.0, 50_000.0, 50_000.0, 40.0, 10.0)),
        max_tokens=rng.choice((64, 64, 3_000)),
    )


def _rates(rng: random.Random, rates: Rates) -> Rates:
    def sometimes(share: float, *values: float) -> float:
        return rng.choice(values) if rng.random() < share else 0.0

    return replace(
        rates,
        crash=sometimes(0.6, 0.002, 0.01, 0.03),
        no_connection=sometimes(0.2, 0.05, 0.3),
        lost_answer=sometimes(0.35, 0.03, 0.2),
        cut_answer=sometimes(0.3, 0.03, 0.2),
        slow_answer=sometimes(0.3, 0.03, 0.2),
        redelivery=sometimes(0.4, 0.2, 0.6),
        double_delivery=sometimes(0.4, 0.3, 0.9),
        aws_error=sometimes(0.3, 0.02, 0.1),
        throttle=sometimes(0.25, 0.01, 0.05),
        slow_down=sometimes(0.25, 0.01, 0.08),
    )


def _faults(rng: random.Random) -> list[Fault]:
    chosen = rng.choices([fault for _, fault in _FAULTS], [weight for weight, _ in _FAULTS], k=rng.choice((0, 0, 1, 2)))
    return [_drawn(rng, fault) for fault in chosen]


def _drawn(rng: random.Random, fault: Fault) -> Fault:
    fields = {key: rng.choice(value) if isinstance(value, tuple) else value for key, value in fault.items()}
    return {"endpoint": MESSAGES, "after": rng.choice((0, 1, 3, 8)), **fields}


def _trouble(rng: random.Random, soon: float) -> Trouble:
    return Trouble(rng.uniform(0, soon), rng.uniform(5, 2000), rng.choice((401, 402, 403, 429)))


def _stray(rng: random.Random) -> Stray:
    return Stray(WORKER, rng.choice((0, 0, 1, 2, 3)), rng.randint(0, 30), rng.uniform(1, 280), dies=rng.random() < 0.3)
