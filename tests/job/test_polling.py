"""The wait policy: soon at first, growing, never too many calls."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.job.polling import (
    JITTER,
    MOST_LOOKS,
    MOST_LOOKS_IN_ALL,
    POLL_FIRST_WAIT,
    POLL_LONGEST_WAIT,
    POLLING_SHARE,
    REQUESTS_PER_MINUTE,
    SETTLE_FIRST_WAIT,
    SETTLE_LONGEST_WAIT,
    poll_seconds,
    settle_seconds,
)
from batchdrop.limits import BATCH_LIFETIME
from batchdrop.recipe.recipe import DEFAULT_ROUNDS

polls = st.integers(0, 10_000)
open_shards = st.integers(1, 10_000)
jitters = st.floats(0, 1, exclude_max=True)
CALLS_A_MINUTE = REQUESTS_PER_MINUTE * POLLING_SHARE


def test_the_first_look_is_soon() -> None:
    """A small job is looked at after about 15 s."""
    assert poll_seconds(0, open_shards=1, jitter=0.0) == round(POLL_FIRST_WAIT) == 15


@given(polls, jitters)
def test_bounds(poll: int, jitter: float) -> None:
    """One shard waits between the first wait and the longest, stretched by jitter."""
    wait = poll_seconds(poll, open_shards=1, jitter=jitter)
    assert POLL_FIRST_WAIT <= wait <= round(POLL_LONGEST_WAIT * (1 + JITTER))


@given(polls, open_shards, jitters)
def test_waits_never_shrink(poll: int, shards: int, jitter: float) -> None:
    """The longer a Message Batch takes, the longer the waits."""
    assert poll_seconds(poll, open_shards=shards, jitter=jitter) <= poll_seconds(
        poll + 1, open_shards=shards, jitter=jitter
    )


@pytest.mark.parametrize("ended", [180, 600, 3_600, 6 * 3_600, 86_400])
def test_an_end_is_seen_within_a_twentieth_of_the_age(ended: float) -> None:
    """… or 15 seconds, and never more than five minutes late."""
    age, poll = 0.0, 0
    while age < ended:
        age += poll_seconds(poll, open_shards=1, jitter=0.0)
        poll += 1
    assert age - ended <= min(max(POLL_FIRST_WAIT, 0.05 * ended + 1), POLL_LONGEST_WAIT)


def test_later_rounds_wait_longer() -> None:
    """Ten rounds of a day each must fit into one history, so the fourth is polled half as often."""
    assert poll_seconds(1_000, open_shards=1, jitter=0.0, round_number=2) == 300
    assert poll_seconds(1_000, open_shards=1, jitter=0.0, round_number=3) == 600


@given(polls, open_shards, jitters)
def test_jitter_only_stretches(poll: int, shards: int, jitter: float) -> None:
    """A wait is never shorter than without jitter, and never longer by more than its part."""
    plain = poll_seconds(poll, open_shards=shards, jitter=0.0)
    wait = poll_seconds(poll, open_shards=shards, jitter=jitter)
    assert plain <= wait <= plain * (1 + JITTER) + 1


@given(polls, open_shards, jitters)
def test_all_shards_together_stay_under_their_share(poll: int, shards: int, jitter: float) -> None:
    """Any number of shards, each polled after its wait, makes at most a fifth of the API's calls a minute."""
    wait = poll_seconds(poll, open_shards=shards, jitter=jitter)
    assert shards * 60 / wait <= CALLS_A_MINUTE * 1.01 + 1  # whole seconds


@given(st.integers(1, 1000), st.integers())
def test_a_day_of_any_job_stays_under_its_share(shards: int, seed: int) -> None:
    """Up to 1,000 shards that run into their expiry make at most 200 calls a minute on average, every call counted."""
    minutes = BATCH_LIFETIME.total_seconds() / 60
    calls = shards * (
        _polls_in_a_day(shards, random.Random(seed)) + 3
    )  # and create, retrieve and results of the collection
    assert calls / minutes <= CALLS_A_MINUTE


@given(st.integers(0, 10_000))
def test_looks_for_a_lost_submission_keep_their_bounds(looks: int) -> None:
    """From a minute, for the list lags, to the longest wait; never shorter than before."""
    wait = settle_seconds(looks)
    assert SETTLE_FIRST_WAIT <= wait <= SETTLE_LONGEST_WAIT
    assert wait <= settle_seconds(looks + 1)


def test_looks_for_a_lost_submission_slow_down() -> None:
    """The first looks are soon; one followed for a day is looked at every five and a half minutes."""
    assert [settle_seconds(looks) for looks in range(6)] == [60, 90, 135, 202, 304, 330]


def test_looks_go_on_for_a_day_after_all_must_have_ended() -> None:
    """The last look for one lost submission comes two lifetimes of a Message Batch after it, and not much later."""
    waited = SETTLE_FIRST_WAIT + sum(settle_seconds(look) for look in range(MOST_LOOKS - 1))
    assert 2 * BATCH_LIFETIME.total_seconds() <= waited <= 2 * BATCH_LIFETIME.total_seconds() + 1800


def test_each_usual_round_may_be_looked_for_a_day() -> None:
    """The looks of one execution are enough to follow a Message Batch to its expiry in each round."""
    assert DEFAULT_ROUNDS * BATCH_LIFETIME.total_seconds() / SETTLE_LONGEST_WAIT <= MOST_LOOKS_IN_ALL


def _polls_in_a_day(shards: int, chance: random.Random) -> int:
    """Return one shard's polls until its Message Batch expired, the first wait as submit_shard makes it."""
    waited, count = float(poll_seconds(0, open_shards=1, jitter=chance.random())), 1
    while waited < BATCH_LIFETIME.total_seconds():
        waited += poll_seconds(count, open_shards=shards, jitter=chance.random())
        count += 1
    return count
