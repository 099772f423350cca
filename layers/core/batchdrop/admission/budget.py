"""A job's budget: the cost of settled rounds, and the highest cost of open ones. Pure arithmetic.

Each round holds its worst case before it is sent, and is settled at its real cost once its answers are in the bucket.
Spent and held together never exceed the cap, so the bill cannot either.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_CEILING, Decimal

import msgspec

from batchdrop.money.cost import BATCH_DISCOUNT
from batchdrop.recipe.lane import Lane

NOTHING = Decimal(0)
FIRST_ANSWERS = 200  # ours: answers that show how long the others are


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """The worst case of one round in dollars; it is under way until then (Unix seconds) at the latest."""

    usd: Decimal
    until: int


class Wave(msgspec.Struct, frozen=True, array_like=True):
    """What a round sends of a job in waves: its first `requests` pending ones, with at most `limit` tokens an answer.

    `limit` 0: the request's own `max_tokens`.
    """

    requests: int
    limit: int


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """The answers of settled rounds: how many, and the most tokens that one of them has."""

    answers: int = 0
    longest: int = 0


NO_ANSWERS = Seen()


class BudgetState(msgspec.Struct, frozen=True):
    """`holds` by round (`3/r0`: shard 3, round 0); `settled` counts each shard's settled rounds.

    `by_shard` is what each shard's settled rounds cost. `waves` are the planned rounds of a job in waves, by round.
    """

    spent: Decimal = NOTHING
    holds: dict[str, Hold] = {}
    settled: dict[int, int] = {}
    by_shard: dict[int, Decimal] = {}
    seen: Seen = NO_ANSWERS
    waves: dict[str, Wave] = {}

    @property
    def held(self) -> Decimal:
        """Return the highest cost of all open rounds."""
        return sum((hold.usd for hold in self.holds.values()), NOTHING)

    def covers(self, shard: int, round_number: int) -> bool:
        """Return whether a round has its hold, or is already settled."""
        return f"{shard}/r{round_number}" in self.holds or self.is_settled(shard, round_number)

    def under_way(self, *, beside: int, failed: Collection[int], now: int) -> bool:
        """Return whether another shard that has not failed may still cost less than it holds."""
        ended = {beside, *failed}
        return any(hold.until > now and _shard_of(name) not in ended for name, hold in self.holds.items())

    def wave(self, shard: int, round_number: int) -> Wave | None:
        """Return what a round sends; None if it is not planned."""
        return self.waves.get(f"{shard}/r{round_number}")

    def is_settled(self, shard: int, round_number: int) -> bool:
        """Return whether the cost of a round's answers is in `spent`."""
        return self.settled.get(shard, 0) > round_number


def hold(
    state: BudgetState, shard: int, round_number: int, usd: Decimal, *, cap: Decimal, until: int
) -> tuple[BudgetState, bool]:
    """Return the state in which the round holds at least `usd`, and True; False if that would exceed the cap.

    Repeated calls hold once. A round that continues in the live lane holds the difference, too.
    """
    if state.is_settled(shard, round_number):
        return state, True
    name = f"{shard}/r{round_number}"
    standing = state.holds[name].usd if name in state.holds else None
    more = usd - (standing or NOTHING)
    if (standing is None or more > 0) and state.spent + state.held + more > cap:
        return state, False
    held = Hold(max(usd, standing or NOTHING), until)
    return msgspec.structs.replace(state, holds={**state.holds, name: held}), True


def plan(
    state: BudgetState, shard: int, round_number: int, wave: Wave, usd: Decimal, *, cap: Decimal, until: int
) -> tuple[BudgetState, Wave | None]:
    """Return the state in which the round sends `wave` and holds `usd`, and its wave; None if that exceeds the cap.

    The first plan of a round stays, so that each attempt sends the same requests.
    """
    known = state.wave(shard, round_number)
    if known is not None:
        return state, known
    held, fits = hold(state, shard, round_number, usd, cap=cap, until=until)
    if not fits:
        return state, None
    return msgspec.structs.replace(held, waves={**state.waves, f"{shard}/r{round_number}": wave}), wave


def release(state: BudgetState, shard: int, round_number: int) -> BudgetState:
    """Return the state without the hold of a round that was not sent."""
    name = f"{shard}/r{round_number}"
    return msgspec.structs.replace(state, holds={other: held for other, held in state.holds.items() if other != name})


def settle(state: BudgetState, shard: int, round_number: int, usd: Decimal, seen: Seen = NO_ANSWERS) -> BudgetState:
    """Return the state in which a round costs what its answers cost; a settled round is not settled again."""
    if state.is_settled(shard, round_number):
        return state
    return msgspec.structs.replace(
        release(state, shard, round_number),
        spent=state.spent + usd,
        settled={**state.settled, shard: round_number + 1},
        by_shard={**state.by_shard, shard: state.by_shard.get(shard, NOTHING) + usd},
        seen=_longest_of_first(state.seen, seen),
    )


def _longest_of_first(known: Seen, seen: Seen) -> Seen:
    """Return both together. Once FIRST_ANSWERS are known, others do not count: our own limit may have cut them."""
    if known.answers >= FIRST_ANSWERS:
        return known
    return Seen(known.answers + seen.answers, max(known.longest, seen.longest))


def at_lane(standard_usd: Decimal, lane: Lane) -> Decimal:
    """Return the lane's price of a cost at the standard price."""
    return standard_usd * BATCH_DISCOUNT if lane == "batch" else standard_usd


def shown(usd: Decimal) -> str:
    """Return dollars for messages: cents, with more digits for small sums."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.2g}" if usd < Decimal("0.0001") else f"${usd:.4f}"


def rounded_up(usd: Decimal) -> Decimal:
    """Return the amount rounded up to whole cents."""
    return usd.quantize(Decimal("0.01"), rounding=ROUND_CEILING)


def _shard_of(name: str) -> int:
    return int(name.partition("/")[0])
