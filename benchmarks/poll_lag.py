"""How late the end of a Message Batch is seen, by how long the batch takes: `python -m benchmarks.poll_lag`.

Computed, not timed: for each duration, a thousand ends spread over the waits around it, in a job of one shard. The
alternative is the obvious loop, `time.sleep(60)`, and the growth by half up to 330 s that batchdrop had before.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

from batchdrop.job.polling import poll_seconds

MINUTE, HOUR = 60.0, 3_600.0
DURATIONS = {
    "3 min": 3 * MINUTE, "10 min": 10 * MINUTE, "30 min": 30 * MINUTE, "1 h": HOUR, "3 h": 3 * HOUR, "24 h": 24 * HOUR,
}  # fmt: skip
ENDS = 1_000
SPREAD = 0.3  # ends lie between this share below and above the duration
Waits = Callable[[int, float], float]


def now(polls: int, jitter: float) -> float:
    """Return batchdrop's wait before a poll."""
    return poll_seconds(polls, open_shards=1, jitter=jitter)


def before(polls: int, jitter: float) -> float:
    """Return the wait that batchdrop had: half more each time, from 20 s to 330 s."""
    return min(20.0 * 1.5 ** min(polls, 20), 330.0) * (1 + 0.2 * jitter)


def each_minute(_polls: int, _jitter: float) -> float:
    """Return the wait of the obvious loop."""
    return MINUTE


def lag_and_polls(waits: Waits, duration: float, *, ends: int = ENDS) -> tuple[float, float]:
    """Return the mean seconds from the end to the poll that sees it, and the mean polls."""
    chance = random.Random(1)
    lags = polls_in_all = 0.0
    for _ in range(ends):
        end, age, polls = duration * chance.uniform(1 - SPREAD, 1 + SPREAD), 0.0, 0
        while age < end:
            age += waits(polls, chance.random())
            polls += 1
        lags += age - end
        polls_in_all += polls
    return lags / ends, polls_in_all / ends


def table(ends: int = ENDS) -> str:
    """Return the table: seconds of lag, and polls in brackets."""
    lines = ["| Message Batch takes | batchdrop, s (polls) | before | every minute |", "|---|--:|--:|--:|"]
    for name, duration in DURATIONS.items():
        cells = [lag_and_polls(waits, duration, ends=ends) for waits in (now, before, each_minute)]
        lines.append(f"| {name} | " + " | ".join(f"{lag:.0f} ({polls:.0f})" for lag, polls in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(10 if "--smoke" in sys.argv else ENDS))
