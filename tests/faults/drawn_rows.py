"""The rows of a random sample, as the bucket says which they are. They are the job's first shard."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tests.faults.escalated_schedule import with_escalation
from tests.faults.live_schedule import with_live_lane
from tests.faults.pack_schedule import with_packs
from tests.faults.schedule import Schedule


class DrawnRows:
    """Reads the sample's rows once the split has written them."""

    def __init__(self) -> None:
        self.objects: Mapping[str, bytes] = {}

    @property
    def rows(self) -> list[int]:
        """Return the rows, from 0."""
        keys = [key for key in self.objects if key.endswith("/shards/00000.rows.jsonl") and "-v2/" not in key]
        return [json.loads(line)["row"] - 1 for key in keys for line in self.objects[key].splitlines()]


def with_a_random_sample(schedule: Schedule) -> Schedule:
    """Return the schedule, in either lane, alone, in packs, or escalated, with a sample from anywhere in the file.

    Some of the jobs have a user who approves late, and some are sent again by a retry.
    """
    rng = random.Random(f"random sample of {schedule.seed}")
    make = rng.choice((lambda one: one, lambda one: one, with_packs, with_escalation, with_live_lane))
    made = make(replace(schedule, rows=(*schedule.rows, *[""] * rng.randint(0, 6))))
    made = replace(made, shard_rows=max(1, -(-len(made.rows) // rng.randint(1, 4))), is_grouped=False)
    is_retried = make is not with_packs and made.live is None and rng.random() < 0.3
    rest = rng.choice((600.0, 600.0, 20_000.0, 900_000.0))
    made = replace(made, pilot=False, primed=False, approver_rest=rest, retried=is_retried)
    if is_retried:  # one after the other, Message Batches that expire would take weeks
        made = replace(made, batch_seconds=min(made.batch_seconds, 3600.0))
    return replace(made, sample=rng.randint(1, 5), drawn=DrawnRows())


def asked_twice(schedule: Schedule, rows: Iterable[int]) -> Iterator[str]:
    """Yield the rows that were sent by the sample, and by the shard where they stand. `rows` are one per custom_id."""
    for row, times in Counter(rows).items() if schedule.drawn is not None else ():
        if times > 1:
            yield f"row {row} was sent by the sample, and by its own shard"
