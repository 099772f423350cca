"""The fleet's rate: never more than permitted, whatever the workers do and whenever they come."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.live_lane.pace import (
    COOLDOWN,
    FEW,
    IDLE_SECONDS,
    LEAST,
    MOST_FLOOR,
    RECOVERY_SECONDS,
    SLOWDOWN,
    START,
    Calls,
    Pace,
    after_calls,
    later,
    told_the_limit,
)
from batchdrop.live_lane.permits import (
    ASSUMED_REQUESTS,
    BURST_SECONDS,
    CATCH_UP,
    EARLY_SECONDS,
    FIRST_REQUESTS,
    LOT_SECONDS,
    MOST_ASSUMED,
    Bucket,
    Need,
    PermitDemand,
    PermitState,
    Typical,
    draw,
    refilled,
    seconds_to_wait,
)
from batchdrop.live_lane.reply import Limits, Room

REQUEST = Need(1.0, 100.0, 50.0)
FULL = PermitState(1000.0, Bucket(600.0, 0.0), Bucket(6e4, 0.0), Bucket(3e4, 0.0), pace=Pace(1.0))
TOLD = Limits(Room(600.0, 600.0), Room(6e4, 6e4), Room(3e4, 3e4))
visits = st.lists(
    st.tuples(
        st.floats(0, 20),
        st.integers(0, 200),
        st.sampled_from([None, None, None, 0.0, 5.0, 70.0]),
        st.sampled_from([Limits(), TOLD]),
    ),
    max_size=60,
)


@given(visits, st.floats(0.05, 1.0))
def test_never_more_than_permitted(given_visits: list[tuple[float, int, float | None, Limits]], share: float) -> None:
    """Over any stretch: the share of each limit, one burst, and the one lot that a level may go below zero by."""
    state, now, got, tokens = FULL, FULL.at, 0, 0.0
    for seconds, count, refused, limits in given_visits:
        now += seconds
        state, lot = draw(
            state,
            PermitDemand(count, REQUEST, limits=limits, refused_for=refused, is_drained=True),
            now=now,
            share=share,
        )
        assert 0 <= lot <= count
        got, tokens = got + lot, tokens + lot * REQUEST.input_tokens
        rate = share * 10.0
        assert got <= rate * (now - FULL.at + BURST_SECONDS) + math.ceil(rate * LOT_SECONDS) + 1
        assert tokens <= 100 * (rate * (now - FULL.at + BURST_SECONDS) + math.ceil(rate * LOT_SECONDS) + 1)
        assert LEAST <= state.pace.value <= 1.0


@given(visits)
def test_nobody_asks_before_the_time_is_over(given_visits: list[tuple[float, int, float | None, Limits]]) -> None:
    """After a refusal no permit is given until its seconds have passed; a shorter one does not end a longer one."""
    state, now, until = FULL, FULL.at, 0.0
    for seconds, count, refused, limits in given_visits:
        now += seconds
        until = until if refused is None else max(until, now + refused)
        state, lot = draw(
            state, PermitDemand(count, REQUEST, limits=limits, refused_for=refused, is_drained=True), now=now, share=1.0
        )
        assert not (lot and now < until)


@given(st.floats(0, 1000), st.floats(-500, 500), st.floats(0, 100), st.floats(0.1, 1))
def test_after_the_wait_there_is_a_permit(level: float, tokens: float, held: float, pace: float) -> None:
    """`seconds_to_wait` is never too short, and never much too long."""
    state = PermitState(
        1000.0,
        Bucket(600.0, -level / 50),
        Bucket(6e4, tokens),
        Bucket(None),
        Pace(pace),
        1000.0 + held,
        is_drained=True,
    )
    wait = seconds_to_wait(state, now=1000.0, share=1.0)
    assert draw(state, PermitDemand(1, REQUEST), now=1000.0 + wait + 0.01, share=1.0)[1] == 1
    assert wait <= held + 10 * (level / 50 + 0.001) / 10 / pace * 10 + 600 / pace


def test_a_fleet_that_knows_nothing_sends_a_small_job_at_once() -> None:
    """The first answers bring the limits; without them it goes at the lowest tier's rate. One worker gets the lot."""
    state, lot = draw(None, PermitDemand(1000, REQUEST), now=1000.0, share=1.0)
    assert lot == FIRST_REQUESTS
    assert state.requests.limit is None
    _, others = draw(state, PermitDemand(1000, REQUEST), now=1001.0, share=1.0)
    assert others <= ASSUMED_REQUESTS / 60


@pytest.mark.parametrize("is_told", [True, False])
def test_refusals_of_the_first_lot_slow_nobody_down(*, is_told: bool) -> None:
    """They tell little. Permits that come back are used at once; later refusals are a reason to slow down."""
    limits = TOLD if is_told else Limits()
    state, _ = draw(None, PermitDemand(200, REQUEST), now=1000.0, share=1.0)
    refused = PermitDemand(60, REQUEST, Need(-60.0), limits, 1.0, calls=Calls(200, 60), is_drained=is_told)
    soon, lot = draw(state, refused, now=1001.0, share=1.0)
    assert soon.pace.value >= state.pace.value
    assert lot == (0 if is_told else 60)  # a told fleet waits for its drained bucket
    late, _ = draw(state, refused, now=1000.0 + EARLY_SECONDS + 1, share=1.0)
    calm, _ = draw(state, PermitDemand(60, REQUEST, limits=limits), now=1000.0 + EARLY_SECONDS + 1, share=1.0)
    assert late.pace.value < calm.pace.value


def test_without_headers_the_pace_climbs_to_a_bound() -> None:
    """It doubles while nobody refuses, and never without end."""
    state = PermitState(0.0)
    for second in range(1, 280):
        state = refilled(state, now=float(second), share=1.0)
    assert state.pace.value * ASSUMED_REQUESTS == MOST_ASSUMED


def test_limits_are_learned_at_once() -> None:
    """The first headers set the rate, and our share of what is left; a drained limit holds the fleet back, too."""
    state, _ = draw(None, PermitDemand(5, REQUEST), now=0.0, share=0.5)
    state, _ = draw(state, PermitDemand(0, REQUEST, limits=Limits(Room(6000.0, 5990.0))), now=1.0, share=0.5)
    assert (state.requests.limit, state.requests.level) == (6000.0, 0.5 * 5990.0)
    drained, lot = draw(state, PermitDemand(9, REQUEST, limits=Limits(Room(6000.0, 0.0))), now=40.0, share=0.5)
    assert (drained.requests.level, lot) == (0.0, 0)


def test_a_full_bucket_is_used_without_a_rush() -> None:
    """After a storm a fleet catches up, CATCH_UP times as fast as its rate."""
    state = refilled(FULL, now=FULL.at + BURST_SECONDS, share=1.0)
    assert state.requests.level == 10.0 * BURST_SECONDS
    got, now = 0, FULL.at + BURST_SECONDS
    for _ in range(40):
        now += 0.5
        state, lot = draw(state, PermitDemand(1000, REQUEST), now=now, share=1.0)
        got += lot
    assert 10.0 * CATCH_UP * 20.0 <= got <= 10.0 * CATCH_UP * 20.0 + FIRST_REQUESTS


def test_meeting_the_limit_slows_down_once() -> None:
    """Many workers report the same empty bucket; the pace falls once in its time, and climbs slowly."""
    pace = Pace(1.0)
    for second in (1.0, 2.0, 3.0, COOLDOWN):
        pace = after_calls(pace, Calls(5, 1), now=100.0 + second, is_drained=True, is_known=True)
    assert pace.value == SLOWDOWN
    climbed = later(pace, at=100.0, now=110.0, seconds=10.0, most=None)
    assert climbed.value == SLOWDOWN + 10.0 / RECOVERY_SECONDS


def test_single_refusals_change_nothing() -> None:
    """By chance, below the limit that is known: everybody goes on."""
    pace = Pace(1.0)
    for second in range(60):
        pace = later(pace, at=float(second), now=second + 1.0, seconds=1.0, most=None)
        pace = after_calls(pace, Calls(10, 3), now=second + 1.0, is_drained=False, is_known=True)
    assert pace.value == 1.0


def test_a_share_of_refusals_that_stays_is_the_usual_one() -> None:
    """Where no limit is known, the fleet slows down first, and sees that it does not help."""
    pace, lowest = Pace(4.0), 4.0
    for second in range(120):
        pace = later(pace, at=float(second), now=second + 1.0, seconds=1.0, most=4.0)
        pace = after_calls(pace, Calls(10, 3), now=second + 1.0, is_drained=False, is_known=False)
        lowest = min(lowest, pace.value)
    assert lowest < 4.0 == pace.value
    assert abs(pace.floor - 0.3) < 0.02 < MOST_FLOOR


def test_a_storm_makes_all_wait_and_passes() -> None:
    """Everything is refused: the fleet sends little. Soon after the storm it is at its pace again."""
    state, now = FULL, FULL.at
    calls = Calls(10, 10)
    for _ in range(30):
        now += 1.0
        state, _ = draw(state, PermitDemand(9, REQUEST, calls=calls, refused_for=2.0), now=now, share=1.0)
    assert (state.pace.value, state.not_before) == (LEAST, now + 2.0)
    for _ in range(40):
        now += 1.0
        state, _ = draw(state, PermitDemand(9, REQUEST, calls=Calls(1, 0)), now=now, share=1.0)
    assert state.pace.value == 1.0


def test_a_few_refusals_are_no_storm() -> None:
    """The first calls of a job may be refused by chance."""
    calls = Calls(int(FEW) - 1, int(FEW) - 1)
    assert not after_calls(Pace(), calls, now=0.0, is_drained=False, is_known=False).is_stormy


def test_a_lot_is_bounded() -> None:
    """However much has gathered and is wanted, one worker gets what the fleet may ask in a second."""
    rested = msgspec.structs.replace(refilled(FULL, now=FULL.at + 100, share=1.0), pace=Pace(1.0, sent=50.0))
    assert draw(rested, PermitDemand(1000, REQUEST), now=FULL.at + 100, share=1.0)[1] == 10 * LOT_SECONDS


@pytest.mark.parametrize(("rest", "lot"), [(100, 200), (400, 200), (6, 60)])
def test_a_small_job_after_a_rest_is_sent_at_once(rest: int, lot: int) -> None:
    """As far as the API's own bucket has filled, which holds a minute's requests. The next worker waits."""
    now = FULL.at + rest
    rested, first = draw(FULL, PermitDemand(1000, Need(1.0)), now=now, share=1.0)
    assert first == lot
    assert draw(rested, PermitDemand(1000, Need(1.0)), now=now + 0.5, share=1.0)[1] <= 10 * LOT_SECONDS


def test_a_trial_ends_when_a_header_tells_the_limit() -> None:
    """It searched what is known now."""
    tried = told_the_limit(Pace(0.1, before=0.4, slowed_at=9.0), is_new=True)
    assert (tried.value, tried.before, tried.slowed_at) == (START, 0.0, 0.0)
    assert told_the_limit(Pace(4.0, before=0.4), is_new=False).value == 1.0


def test_a_request_larger_than_the_bucket_goes_through() -> None:
    """It leaves a debt that all wait for, and is not refused for ever."""
    large = Need(1.0, 50_000.0, 10.0)
    state = refilled(FULL, now=FULL.at + 2, share=0.5)
    state, lot = draw(state, PermitDemand(3, large), now=FULL.at + 2, share=0.5)
    assert lot == 1
    assert seconds_to_wait(state, now=FULL.at + 2, share=0.5) > 90


def test_debts_are_paid_first() -> None:
    """What earlier requests used beyond their charge comes off the next lot."""
    state = refilled(FULL, now=FULL.at + 2, share=1.0)
    assert draw(state, PermitDemand(9, REQUEST, owed=Need(0, 5_000, 0)), now=FULL.at + 2, share=1.0)[1] == 0
    assert draw(state, PermitDemand(9, REQUEST, owed=Need(0, -5_000, 0)), now=FULL.at + 2, share=1.0)[1] == 9


def test_a_rested_fleet_starts_gently_again() -> None:
    """After minutes without a request the ramp begins anew."""
    assert refilled(FULL, now=FULL.at + IDLE_SECONDS + 1, share=1.0).pace.value == START


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Workers' clocks differ by milliseconds: no level grows twice for the same time."""
    state = refilled(FULL, now=FULL.at + 1, share=1.0)
    assert refilled(state, now=FULL.at + 0.5, share=1.0) == state


def test_the_typical_request_is_learned() -> None:
    """Guesses come near to what is really used, whatever the script."""
    typical = Typical()
    for _ in range(200):
        typical.see(300)
        typical.learn(300, 150, 20)
    guess = typical.guess(300)
    assert abs(guess.input_tokens - 150) < 2
    assert abs(guess.output_tokens - 20) < 2
    assert abs(typical.need.input_tokens - 150) < 2
