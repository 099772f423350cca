"""Schedules of pilots: a first request that goes alone, and one that primes the prompt cache, when much goes wrong."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.faults.live_schedule import SMALL
from tests.faults.schedule import CREATE, NEVER_ANSWERED, Fault, Live, Schedule

ROW_AT_LEAST_USD = 7e-5  # what a row with the rules before it costs in the batch lane, unmarked
LEAST_ROWS = 8  # so that priming always saves something
PILOTS = ("", "", "", "[[errored:invalid_request_error]]", "[[errored_once:api_error]]", "[[max_tokens]]")
PRIMERS = ("", "", "", "[[errored:invalid_request_error]]", "[[errored_once:api_error]]", "[[expired_once]]")


def with_pilots(schedule: Schedule) -> Schedule:
    """Return the schedule with a pilot that takes a day, is refused, is lost, or is paid while the job is canceled."""
    rng = random.Random(f"pilots of {schedule.seed}")
    rest = tuple(kind for kind in schedule.rows if kind not in NEVER_ANSWERED)
    rows = (rng.choice(PILOTS), rng.choice(PRIMERS), *rest, *("",) * LEAST_ROWS)
    is_capped = rng.random() < 0.3
    seconds = rng.choice((2.0, 90.0, 600.0, 1500.0, 4000.0, 30 * 3600.0 if rng.random() < 0.2 else 90.0))
    return replace(
        schedule,
        rows=rows,
        shard_rows=1 if is_capped else rng.randint(2, len(rows)),
        pilot=True,
        primed=rng.random() < 0.75,
        live=_live(rng),
        batch_seconds=min(seconds, 4000.0) if is_capped else seconds,  # a day for each row would outlive the ledger
        faults=(*schedule.faults, *_lost_pilots(rng)),
        cancel_at=rng.uniform(0, 150) if rng.random() < 0.25 else None,
        stop_at=rng.uniform(1, 1500) if rng.random() < 0.15 else None,
        max_cost_usd=round(rng.uniform(1.2, 5) * len(rows) * ROW_AT_LEAST_USD, 8) if is_capped else None,
        redriven=schedule.redriven and not is_capped,
        stays_canceled=schedule.stays_canceled or is_capped,
    )


def _live(rng: random.Random) -> Live:
    return replace(
        SMALL,
        lane="batch",
        finish_within=rng.choice((None, None, 14_400)),
        latency=rng.choice((0.3, 1.2, 40.0)),
        workers=rng.choice((1, 2)),
    )


def _lost_pilots(rng: random.Random) -> tuple[Fault, ...]:
    """Return faults that meet the first calls: those of the pilots."""
    kinds: tuple[Fault, ...] = (
        {"kind": "accept_then_drop", "endpoint": CREATE},
        {"kind": "error_after_accept", "endpoint": CREATE, "status": 504},
        {"kind": "drop_before_accept", "endpoint": CREATE},
        {"kind": "accept_then_drop", "endpoint": "messages.create"},
        {"kind": "error_before_accept", "endpoint": "messages.create", "status": 529, "times": rng.choice((3, 40))},
    )
    return tuple({"times": 1, **rng.choice(kinds)} for _ in range(rng.choice((0, 1, 1, 2))))
