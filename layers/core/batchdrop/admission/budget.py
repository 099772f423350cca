"""A job's budget: what its rounds have cost, and what those under way may cost at most. Pure arithmetic.

Each round holds its worst case before it is sent, and is settled at what its answers cost once they are in the bucket.
Spent and held together never pass the cap, so the bill cannot.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_CEILING, Decimal

import msgspec

from batchdrop.money.cost import BATCH_DISCOUNT
from batchdrop.recipe.lane import Lane

SHARD_SHARE = Decimal("0.25")  # of the cap, which one shard may cost at most: so several are under way at once
NOTHING = Decimal(0)


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """The worst case of one round that may be under way until then (Unix seconds), in dollars."""

    usd: Decimal
    until: int


class BudgetState(msgspec.Struct, frozen=True):
    """`holds` by round (`3/r0`: shard 3, round 0); `settled` counts each shard's settled rounds."""

    spent: Decimal = NOTHING
    holds: dict[str, Hold] = {}
    settled: dict[int, int] = {}

    @property
    def held(self) -> Decimal:
        """Return what all rounds under way may cost at most."""
        return sum((hold.usd for hold in self.holds.values()), NOTHING)

    def covers(self, shard: int, asked_round: int) -> bool:
        """Tell whether a round has its hold, or is paid already."""
        return f"{shard}/r{asked_round}" in self.holds or self.is_settled(shard, asked_round)

    def under_way(self, *, beside: int, failed: Collection[int], now: int) -> bool:
        """Tell whether any shard but this one, and those that failed, may still cost less than it holds."""
        ended = {beside, *failed}
        return any(hold.until > now and _shard_of(name) not in ended for name, hold in self.holds.items())

    def is_settled(self, shard: int, asked_round: int) -> bool:
        """Tell whether what a round's answers cost is in `spent`."""
        return self.settled.get(shard, 0) > asked_round


def hold(
    state: BudgetState, shard: int, asked_round: int, usd: Decimal, *, cap: Decimal, until: int
) -> tuple[BudgetState, bool]:
    """Return the state in which the round holds at least `usd`, and True; False where that would pass the cap.

    A round holds once, however often it asks; one that goes on in the live lane holds the difference, too.
    """
    if state.is_settled(shard, asked_round):
        return state, True
    name = f"{shard}/r{asked_round}"
    standing = state.holds[name].usd if name in state.holds else None
    more = usd - (standing or NOTHING)
    if (standing is None or more > 0) and state.spent + state.held + more > cap:
        return state, False
    held = Hold(max(usd, standing or NOTHING), until)
    return msgspec.structs.replace(state, holds={**state.holds, name: held}), True


def release(state: BudgetState, shard: int, asked_round: int) -> BudgetState:
    """Return the state without the hold of a round of which nothing was sent."""
    name = f"{shard}/r{asked_round}"
    return msgspec.structs.replace(state, holds={other: held for other, held in state.holds.items() if other != name})


def settle(state: BudgetState, shard: int, asked_round: int, usd: Decimal) -> BudgetState:
    """Return the state in which a round costs what its answers did; one that is settled is not settled again."""
    if state.is_settled(shard, asked_round):
        return state
    settled = {**state.settled, shard: asked_round + 1}
    return msgspec.structs.replace(release(state, shard, asked_round), spent=state.spent + usd, settled=settled)


def at_lane(standard_usd: Decimal, lane: Lane) -> Decimal:
    """Return what costs so much at the standard price, at the lane's."""
    return standard_usd * BATCH_DISCOUNT if lane == "batch" else standard_usd


def shown(usd: Decimal) -> str:
    """Return dollars as messages show them: cents, and more digits where cents would hide them."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.2g}" if usd < Decimal("0.0001") else f"${usd:.4f}"


def rounded_up(usd: Decimal) -> Decimal:
    """Return the amount in whole cents, not less."""
    return usd.quantize(Decimal("0.01"), rounding=ROUND_CEILING)


def _shard_of(name: str) -> int:
    return int(name.partition("/")[0])
