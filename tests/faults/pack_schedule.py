"""Schedules of packs: rows that share a request, when the model loses count and much else goes wrong."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.faults.live_schedule import with_live_lane
from tests.faults.schedule import Schedule

PACK_AT_MOST_USD = 1.2e-4  # what a pack of the schedules' tables may cost in the batch lane, about
DEARER = 25  # the other model's price compared with the recipe's, about
BROKEN = ("[[pack_missing]]", "[[pack_invented]]", "[[pack_doubled]]", "[[pack_shuffled]]", "[[invalid_json]]")
LIVE_TOKENS = 800  # of a row: some packs are streamed, and some are not
RULES = "Keep it short and kind. " * 40  # what each request of a row alone would pay for


def with_packs(schedule: Schedule) -> Schedule:
    """Return the schedule with packs whose answers leave rows out, invent and double numbers, or are cut.

    Now and then with a cap that holds one or two packs. Half of the packs have rows of one group,
    and four in ten jobs send unsure rows to another model.
    """
    rng = random.Random(f"packs of {schedule.seed}")
    rows = (*schedule.rows, *[""] * rng.randint(0, 10))
    rows = tuple(rng.choice(BROKEN) if not kind and rng.random() < 0.15 else kind for kind in rows)
    is_capped = rng.random() < 0.3
    made = replace(
        schedule,
        rows=rows,
        shard_rows=max(1, -(-len(rows) // rng.choice((1, 1, 2)))),
        pack=rng.choice((2, 3, 3, 4, 6)),
        retries_invalid=rng.random() < 0.5,
        emulator=tuple(
            {
                "pack_missing_rate": rng.choice((0.0, 0.0, 0.1, 0.5)),
                "pack_invented_rate": rng.choice((0.0, 0.0, 0.2)),
                "pack_doubled_rate": rng.choice((0.0, 0.0, 0.2)),
                "pack_shuffled_rate": rng.choice((0.0, 0.5)),
                "pack_growth": rng.choice((0.0, 1.0)),
            }.items()
        ),
        max_cost_usd=round(rng.uniform(2, 8) * PACK_AT_MOST_USD, 8) if is_capped else None,
        batch_seconds=min(schedule.batch_seconds, 3600.0) if is_capped else schedule.batch_seconds,
        redriven=schedule.redriven and not is_capped,
        stays_canceled=schedule.stays_canceled or is_capped,
    )
    made = replace(made, is_grouped=rng.random() < 0.5)
    if rng.random() >= 0.4:
        return made
    cap = None if made.max_cost_usd is None else round(made.max_cost_usd * DEARER, 8)
    return replace(made, escalates=True, max_cost_usd=cap)


def with_live_packs(schedule: Schedule) -> Schedule:
    """Return the schedule with packs that go live: from the start, once the job is late, or as leftovers."""
    made = with_packs(with_live_lane(schedule))
    assert made.live is not None
    live = replace(made.live, max_tokens=min(made.live.max_tokens, LIVE_TOKENS))
    dearer = 2 * live.max_tokens / 64  # the live lane's price, and longer answers in the worst case
    cap = None if made.max_cost_usd is None else round(made.max_cost_usd * dearer, 8)
    return replace(made, live=live, max_cost_usd=cap)
