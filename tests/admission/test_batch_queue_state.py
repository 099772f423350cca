"""The processing queue: never above its limit, in the order of the jobs, nobody overtaken for ever."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.admission.batch_queue_state import (
    MOST_LISTED,
    MOST_PLACES,
    Candidate,
    Claim,
    QueueState,
    leave,
    request_place,
    round_name,
)

OLD, YOUNG = "20261122T120000-aaaaaaaaaa", "20261122T120001-0000000000"
DAY, WAIT = 86_400, 300
LIMIT = 100


def _candidate(name: str, requests: int, now: int = 0) -> Candidate:
    return Candidate(name, Claim(requests, now + DAY), Claim(requests, now + WAIT))


def _ask(state: QueueState, name: str, requests: int, now: int = 0, limit: int = LIMIT) -> tuple[QueueState, bool]:
    return request_place(state, _candidate(name, requests, now), now=now, limit=limit)


def test_rounds_sort_by_the_upload_of_their_job_then_by_shard_and_round() -> None:
    """The line's order is that of the names, as text."""
    rounds = [(OLD, 2, 0), (OLD, 10, 0), (OLD, 10, 2), (OLD, 10, 10), (YOUNG, 0, 0)]
    names = [round_name(*one) for one in rounds]
    assert names == sorted(names)


def test_what_fits_has_a_place() -> None:
    """Up to the limit, to the request."""
    state, first = _ask(QueueState(), round_name(OLD, 0, 0), 60)
    state, second = _ask(state, round_name(OLD, 1, 0), 40)
    state, third = _ask(state, round_name(OLD, 2, 0), 1)
    assert (first, second, third, state.requests) == (True, True, False, 100)
    assert [*state.line] == [round_name(OLD, 2, 0)]


def test_a_place_is_taken_once() -> None:
    """A function that is repeated keeps the round's place, also when the queue is full."""
    state, _ = _ask(QueueState(), "a", LIMIT)
    again, is_admitted = _ask(state, "a", LIMIT, now=50)
    assert (is_admitted, again.requests) == (True, LIMIT)
    assert again.places["a"].until == 50 + DAY


def test_a_place_that_is_left_is_free() -> None:
    """Left twice is left once; others' places stay."""
    state, _ = _ask(QueueState(), "job/00001/r00", 60)
    state, _ = _ask(state, "job/00002/r00", 40)
    left = leave(leave(state, "job/00001/r00"), "job/00001/r00")
    assert [*left.places] == ["job/00002/r00"]
    assert leave(left, "job/") == QueueState()


def test_a_place_that_nobody_left_is_forgotten() -> None:
    """A day and two hours later no Message Batch is open."""
    state, _ = _ask(QueueState(), "a", LIMIT)
    assert _ask(state, "b", 1, now=DAY - 1)[1] is False
    assert _ask(state, "b", 1, now=DAY)[1] is True


def test_more_than_the_limit_is_admitted_alone() -> None:
    """A shard that is larger than the whole queue waits until it is empty, and then has it."""
    state, _ = _ask(QueueState(), "b", 1)
    state, is_admitted = _ask(state, "a", LIMIT + 1)
    assert not is_admitted
    state, is_admitted = _ask(leave(state, "b"), "a", LIMIT + 1)
    assert is_admitted
    assert _ask(state, "c", 1)[1] is False


def test_the_oldest_job_is_served_first() -> None:
    """A younger job's shard waits while an older job's waits, even where it would fit."""
    state, _ = _ask(QueueState(), round_name(OLD, 0, 0), 60)
    state, _ = _ask(state, round_name(OLD, 1, 0), 60)
    state, is_admitted = _ask(state, round_name(YOUNG, 0, 0), 1)
    assert not is_admitted
    state, is_admitted = _ask(leave(state, round_name(OLD, 0, 0)), round_name(YOUNG, 0, 0), 1, now=10)
    assert not is_admitted, "the older one has not come by yet"
    state, is_admitted = _ask(state, round_name(OLD, 1, 0), 60, now=20)
    assert is_admitted
    assert _ask(state, round_name(YOUNG, 0, 0), 1, now=30)[1]


def test_a_round_that_stops_polling_loses_its_place() -> None:
    """A stopped execution holds nobody up for longer than its own wait."""
    state, _ = _ask(QueueState(), round_name(OLD, 0, 0), 60)
    state, _ = _ask(state, round_name(OLD, 1, 0), 60)
    assert _ask(state, round_name(YOUNG, 0, 0), 1, now=WAIT - 1)[1] is False
    assert _ask(state, round_name(YOUNG, 0, 0), 1, now=WAIT)[1] is True


@pytest.mark.parametrize("seed", range(5))
def test_a_large_shard_is_not_overtaken_for_ever(seed: int) -> None:
    """Small shards of other jobs come all the time; the large one has its turn as soon as the places before it end."""
    rng = random.Random(seed)
    state, now, large = QueueState(), 0, round_name(OLD, 0, 0)
    for number in range(20):
        state, _ = _ask(state, round_name(YOUNG, number, 0), 5)
    for step in range(100):
        now += 30
        state, is_admitted = _ask(state, large, LIMIT, now=now)
        if is_admitted:
            assert step <= 20
            return
        state, was_small_admitted = _ask(state, round_name(YOUNG, 100 + step, 0), 5, now=now)
        assert not was_small_admitted
        state = leave(state, rng.choice([*state.places]))
    pytest.fail("the large shard starved")


def test_the_state_is_bounded() -> None:
    """A thousand places and a thousand that wait stay below 100 KB of DynamoDB's 400; the first in line are listed."""
    state = QueueState()
    for shard in range(MOST_PLACES + 1_000):
        state, is_admitted = _ask(state, round_name(OLD, shard, 0), 100_000, limit=10**12)
        assert is_admitted == (shard < MOST_PLACES)
    assert len(msgspec.json.encode(state)) < 100_000
    assert [*state.line] == [round_name(OLD, shard, 0) for shard in range(MOST_PLACES, MOST_PLACES + MOST_LISTED)]


def test_unlisted_rounds_wait_for_listed_ones() -> None:
    """And an older one that comes late is listed before them."""
    state, _ = _ask(QueueState(), "z", LIMIT)
    for number in range(MOST_LISTED + 5):
        state, _ = _ask(state, f"m{number:03d}", 1)
    assert "m104" not in state.line
    state = leave(state, "z")
    assert _ask(state, "m104", 1)[1] is False
    state, _ = _ask(state, "a", LIMIT + 1)
    assert _ask(state, "m000", 1)[1] is False or "a" in state.places


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "leave"]), st.integers(0, 6), st.integers(1, 130), st.integers(0, 200)
        ),
        max_size=60,
    )
)  # fmt: skip
def test_the_limit_holds_whatever_comes(steps: list[tuple[str, int, int, int]]) -> None:
    """At all times: at most the limit, or one alone; nobody both in the queue and in the line."""
    state, now = QueueState(), 0
    for what, number, requests, seconds in steps:
        now += seconds
        name = round_name(OLD, number, 0)
        if what == "ask" and name not in state.places:
            state, _ = _ask(state, name, requests, now=now)
        elif what == "leave":
            state = leave(state, name)
        assert state.requests <= LIMIT or len(state.places) == 1
        assert not state.places.keys() & state.line.keys()
