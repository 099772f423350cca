"""A job's budget: what is spent and held never passes the cap, and each round counts once."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.admission.budget import BudgetState, at_lane, hold, release, rounded_up, settle, shown

CAP = Decimal(10)
UNTIL = 1_000


def _hold(state: BudgetState, shard: int, round_number: int, usd: str) -> tuple[BudgetState, bool]:
    return hold(state, shard, round_number, Decimal(usd), cap=CAP, until=UNTIL)


def test_a_round_holds_its_worst_case_and_costs_what_it_did() -> None:
    """What turns out cheaper makes room for others."""
    state, _ = _hold(BudgetState(), 0, 0, "8")
    assert _hold(state, 1, 0, "3") == (state, False)
    state = settle(state, 0, 0, Decimal("0.5"))
    state, fits = _hold(state, 1, 0, "9.5")
    assert (fits, state.spent, state.held) == (True, Decimal("0.5"), Decimal("9.5"))


def test_a_round_holds_once() -> None:
    """A function that is repeated finds the hold, whatever has been held since."""
    state, _ = _hold(BudgetState(), 0, 0, "6")
    state, _ = _hold(state, 1, 0, "4")
    again, fits = _hold(state, 0, 0, "6")
    assert (fits, again.held) == (True, CAP)


def test_a_hold_stands_under_a_lower_cap() -> None:
    """What may be under way already is not refused afterwards."""
    state, _ = _hold(BudgetState(), 0, 0, "6")
    again, fits = hold(state, 0, 0, Decimal(6), cap=Decimal(1), until=UNTIL)
    assert (fits, again) == (True, state)


def test_going_live_holds_the_difference() -> None:
    """The same round at the full price holds twice as much, if that fits; never less than before."""
    state, _ = _hold(BudgetState(), 0, 0, "4")
    dearer, fits = _hold(state, 0, 0, "8")
    assert (fits, dearer.held) == (True, Decimal(8))
    assert _hold(dearer, 0, 0, "4")[0].held == Decimal(8)
    assert _hold(dearer, 0, 0, "11") == (dearer, False)


def test_a_round_is_settled_once() -> None:
    """A collection that is repeated, or comes late, adds nothing; nor does the round hold anything again."""
    state, _ = _hold(BudgetState(), 3, 0, "4")
    state = settle(state, 3, 0, Decimal(1))
    assert settle(state, 3, 0, Decimal(1)) == state
    assert _hold(state, 3, 0, "4") == (state, True)
    assert state.covers(3, 0)
    assert not state.covers(3, 1)
    later = settle(state, 3, 1, Decimal(1))
    assert (later.spent, settle(later, 3, 0, Decimal(1))) == (Decimal(2), later)


def test_what_was_not_sent_is_let_go() -> None:
    """A refused round holds nothing; what was spent stays."""
    state, _ = _hold(settle(BudgetState(), 1, 0, Decimal(2)), 0, 0, "8")
    assert release(state, 0, 0).held == 0
    assert release(release(state, 0, 0), 0, 0).spent == Decimal(2)
    assert not release(state, 0, 0).covers(0, 0)


def test_rounds_that_may_still_turn_out_cheaper() -> None:
    """Another shard that holds something: not this one, not one that failed, not one that must have ended."""
    state, _ = _hold(BudgetState(), 0, 0, "4")
    assert state.under_way(beside=1, failed=[], now=UNTIL - 1)
    assert not state.under_way(beside=0, failed=[], now=UNTIL - 1)
    assert not state.under_way(beside=1, failed=[0], now=UNTIL - 1)
    assert not state.under_way(beside=1, failed=[], now=UNTIL)


def test_it_is_kept_to_the_last_digit() -> None:
    """The ledger's text gives back the same dollars."""
    state, _ = _hold(settle(BudgetState(), 1, 2, Decimal("0.0000000125")), 0, 0, "1e-9")
    assert msgspec.json.decode(msgspec.json.encode(state), type=BudgetState) == state


def test_lanes_and_words() -> None:
    """A Message Batch costs half; messages show cents, and what cents would hide."""
    assert (at_lane(Decimal(3), "batch"), at_lane(Decimal(3), "live")) == (Decimal("1.5"), Decimal(3))
    assert [shown(Decimal(usd)) for usd in ("0", "1234.567", "0.05", "0.0000123")] == [
        "$0.00",
        "$1,234.57",
        "$0.0500",
        "$0.000012",
    ]
    assert rounded_up(Decimal("1.2300001")) == Decimal("1.24")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hold", "settle", "release"]),
            st.integers(0, 3),
            st.decimals(0, 6, places=3),
            st.decimals(0, 1, places=2),
        ),
        max_size=80,
    )
)  # fmt: skip
def test_the_cap_holds_whatever_comes(steps: list[tuple[str, int, Decimal, Decimal]]) -> None:
    """Spent and held stay below the cap while no round costs more than it holds."""
    state = BudgetState()
    rounds = dict.fromkeys(range(4), 0)
    for what, shard, usd, share in steps:
        round_number = rounds[shard]
        held = state.holds.get(f"{shard}/r{round_number}")
        if what == "hold":
            state, _ = hold(state, shard, round_number, usd, cap=CAP, until=UNTIL)
        elif what == "settle" and held is not None:
            state = settle(state, shard, round_number, held.usd * share)
            rounds[shard] += 1
        elif what == "release":
            state = release(state, shard, round_number)
        assert state.spent + state.held <= CAP
