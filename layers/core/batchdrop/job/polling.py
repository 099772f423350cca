"""When to look at a Message Batch again: soon at first, then every five and a half minutes, never too many at once."""

from batchdrop.limits import POLLING_SHARE, REQUESTS_PER_MINUTE

FIRST_WAIT = 20.0
LONGEST_WAIT = 330.0
GROWTH = 1.5
JITTER = 0.2  # waits are stretched by up to this part, never shortened: shards that start together drift apart

# Nine history events a poll (Wait 2, Task 5, Choice 2) leave room for 275 polls below 2,500 events, and 24 h in
# waits of 330 s, the shortest there are in the long run, are 267.

SETTLE_WAIT = 60  # seconds before the first look for a lost submission; the list lags by one or two minutes

# What was created beside a lost submission has ended after 24 h, and what cannot be read a day later never will be.
MOST_LOOKS = 530  # for one lost submission: 48 h of looks
# Answers may be lost again and again: all looks of one execution take 7,200 history events at most, and still leave
# each of the usual three rounds a day of looks.
MOST_LOOKS_IN_ALL = 800

# A turn in the processing queue, or in the budget, may take days: eleven history events a wait (Wait 2, Which lane? 2,
# Task 5, Choice 2), so all waits of one execution take 11,000 of AWS's 25,000, and last 15 days.
PATIENT_AFTER = 300  # waits of up to 330 s: a day
PATIENT_WAIT = 1_800.0
MOST_WAITS = 1_000


def turn_seconds(waits: int, *, jitter: float) -> int:
    """Return the whole seconds to wait for one's turn after having waited so often; `jitter` is drawn from [0, 1)."""
    grown = min(FIRST_WAIT * GROWTH ** min(waits, 20), LONGEST_WAIT) if waits < PATIENT_AFTER else PATIENT_WAIT
    return round(grown * (1 + JITTER * jitter))


def settle_seconds(looks: int) -> int:
    """Return the whole seconds to wait after look number `looks` (from 0) for a lost submission."""
    return round(min(SETTLE_WAIT * GROWTH ** min(looks, 20), LONGEST_WAIT))


def wait_seconds(polls: int, *, open_shards: int, jitter: float) -> int:
    """Return the whole seconds to wait before poll number `polls` (from 0) of one shard.

    `open_shards` is how many shards of the job may be polled at the same time; `jitter` is drawn from [0, 1).
    """
    grown = min(FIRST_WAIT * GROWTH ** min(polls, 20), LONGEST_WAIT)
    fair = open_shards * 60 / (REQUESTS_PER_MINUTE * POLLING_SHARE)
    return round(max(grown, fair) * (1 + JITTER * jitter))
