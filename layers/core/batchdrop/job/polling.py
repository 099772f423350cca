"""Compute the state machine's waits: for a Message Batch, for a shard's turn, for a lost submission.

The three waits grow for different reasons, so each has its own constants.
"""

REQUESTS_PER_MINUTE = 1_000  # Message Batches API, lowest tier, all calls together
POLLING_SHARE = 0.2  # ours: polling uses at most this share of REQUESTS_PER_MINUTE …
BESIDE_POLLS = 0.005  # … with the creates, retrieves and results of its shards


# Poll waits: until the next poll of a running Message Batch, 5 % of its age. So its end is seen late by at most that
# share. A poll writes nine history events (Wait 2, Task 5, Choice 2). 24 h are at most 350 polls: 3,150 events of AWS's
# 25,000.
POLL_SHARE_OF_AGE = 0.05
POLL_FIRST_WAIT = 15.0
POLL_LONGEST_WAIT = 300.0
POLL_LONGEST_LATER = 600.0  # after the usual three rounds, so that ten rounds of a day each fit into one history
USUAL_ROUNDS = 3
EVEN_POLLS = round(1 / POLL_SHARE_OF_AGE)  # polls of POLL_FIRST_WAIT, until that is 5 % of the age

# Settle waits: until the next search for a lost submission. The list of Message Batches lags by one or two minutes.
SETTLE_FIRST_WAIT = 60
SETTLE_LONGEST_WAIT = 330
SETTLE_GROWTH = 1.5
# Every Message Batch that was created at the same time has ended after 24 h. If its results cannot be read within
# another day, they never can.
MOST_LOOKS = 530  # for one lost submission: 48 h of searches
# Responses may be lost several times. All searches of one execution write at most 7,200 history events. This still
# leaves a day of searches for each of the usual three rounds.
MOST_LOOKS_IN_ALL = 800

# Turn waits: until a round tries again to get a place in the processing queue, or room in its job's budget. That may
# take days. A wait writes eleven history events (Wait 2, Which lane? 2, Task 5, Choice 2), so all waits of one
# execution write 7,700 of AWS's 25,000, and last 15 days.
TURN_FIRST_WAIT = 20.0
TURN_LONGEST_WAIT = 330.0
TURN_GROWTH = 1.5
PATIENT_AFTER = 300  # waits of up to 330 s: a day
PATIENT_WAIT = 3_000.0
MOST_WAITS = 700

JITTER = 0.2  # poll and turn waits are stretched by up to this share, so that shards do not act at the same time
MOST_STEPS = 20  # of growth; all waits have their longest value by then, and a larger power could overflow
MOST_POLL_STEPS = 100  # likewise, for polls: they grow more slowly


def poll_seconds(polls: int, *, open_shards: int, jitter: float, round_number: int = 0) -> int:
    """Return the whole seconds to wait before poll number `polls` (from 0) of one shard in a round (from 0).

    `open_shards` is the number of shards of the job that may be polled at the same time; `jitter` is in [0, 1).
    """
    steps = min(max(polls - EVEN_POLLS, 0), MOST_POLL_STEPS)
    longest = POLL_LONGEST_WAIT if round_number < USUAL_ROUNDS else POLL_LONGEST_LATER
    grown = min(POLL_FIRST_WAIT * (1 + POLL_SHARE_OF_AGE) ** steps, longest)
    fair = open_shards * 60 / (REQUESTS_PER_MINUTE * (POLLING_SHARE - BESIDE_POLLS))
    return round(max(grown, fair) * (1 + JITTER * jitter))


def settle_seconds(looks: int) -> int:
    """Return the whole seconds to wait after search number `looks` (from 0) for a lost submission."""
    return round(min(SETTLE_FIRST_WAIT * SETTLE_GROWTH ** min(looks, MOST_STEPS), SETTLE_LONGEST_WAIT))


def turn_seconds(waits: int, *, jitter: float) -> int:
    """Return the whole seconds to wait for a shard's turn after `waits` waits; `jitter` is in [0, 1)."""
    if waits >= PATIENT_AFTER:
        grown = PATIENT_WAIT
    else:
        grown = min(TURN_FIRST_WAIT * TURN_GROWTH ** min(waits, MOST_STEPS), TURN_LONGEST_WAIT)
    return round(grown * (1 + JITTER * jitter))
