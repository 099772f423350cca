"""Schedules of escalation: a third of the first answers are unsure, some cannot be used, and either model may fail."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.faults.live_schedule import with_live_lane
from tests.faults.pilot_schedule import with_pilots
from tests.faults.schedule import Schedule

BROKEN = ("[[invalid_json]]", "[[invalid_json_once]]", "[[refusal]]", "[[errored_once:api_error]]")


def with_escalation(schedule: Schedule) -> Schedule:
    """Return the schedule with a recipe that escalates, in either lane, with or without pilots and retries."""
    rng = random.Random(f"escalation of {schedule.seed}")
    drawn = rng.random()
    made = with_live_lane(schedule) if drawn < 0.25 else with_pilots(schedule) if drawn < 0.4 else schedule
    rows = tuple(rng.choice(BROKEN) if kind == "" and rng.random() < 0.3 else kind for kind in made.rows)
    return replace(
        made,
        rows=(*rows, "", ""),
        escalates=True,
        retries_invalid=rng.random() < 0.3,
        max_cost_usd=None if made.max_cost_usd is None else round(made.max_cost_usd * 40, 8),
    )
