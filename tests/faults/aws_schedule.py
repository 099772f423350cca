"""Schedules on Claude Platform on AWS: expired credentials, wrong clocks, denied actions, and moves to a key."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from tests.callers import ACCESS_KEY
from tests.faults.live_schedule import with_live_lane
from tests.faults.schedule import CREATE, AwsTrouble, Schedule

ACTIONS = (
    "CreateBatchInference",
    "ListBatchInferences",
    "GetBatchInference",
    "CancelBatchInference",
    "CreateInference",
)


def with_aws(schedule: Schedule) -> Schedule:
    """Return the schedule on AWS, in either lane, with troubles of the credentials while much else goes wrong.

    A fifth of the schedules move to a role or to a key for a while. They stay in the batch lane, whose Message Batches
    the other provider does not see.
    """
    rng = random.Random(f"aws of {schedule.seed}")
    moves = rng.random() < 0.2
    either = schedule if moves or rng.random() < 0.7 else with_live_lane(schedule)
    first = rng.uniform(1, 300)
    return replace(
        either,
        on_aws=True,
        aws_troubles=tuple(_trouble(rng) for _ in range(rng.choice((1, 1, 2, 3)))),
        moved_at=(first, first + rng.uniform(60, 4000)) if moves else (),
        faults=(*either.faults, *_lost_creates(rng)),
    )


def _trouble(rng: random.Random) -> AwsTrouble:
    settings: dict[str, Any] = rng.choice(
        (
            {"aws_expired_keys": [ACCESS_KEY]},
            {"aws_skew_seconds": rng.choice((-7200.0, -400.0, 400.0, 7200.0))},
            {"aws_denied_actions": rng.sample(ACTIONS, k=rng.choice((1, 1, 2)))},
            {"aws_workspaces": []},
        )
    )
    return AwsTrouble(rng.choice((0.0, rng.uniform(0, 20), rng.uniform(0, 900))), rng.uniform(5, 4000), settings)


def _lost_creates(rng: random.Random) -> tuple[dict[str, Any], ...]:
    """Return a fault that loses the answer to a create, so that the credentials' trouble meets its settling."""
    return ({"kind": rng.choice(("accept_then_drop", "drop_before_accept")), "endpoint": CREATE, "times": 1},)
