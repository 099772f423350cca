"""A job's budget in the ledger: rounds hold their worst case, and are settled at what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import msgspec

from batchdrop.admission.budget import BudgetState, hold, release, settle
from batchdrop.admission.ports import Changed, SharedStates
from batchdrop.ports import Clock

BUDGET = "budget"
UNDER_WAY = timedelta(hours=26)  # after which nobody waits any more for a round to cost less than it holds


@dataclass(frozen=True, slots=True)
class JobBudget:
    """The budget of one job. Every method that writes raises LedgerContended."""

    job_id: str
    states: SharedStates
    clock: Clock

    def state(self) -> BudgetState:
        """Return what is spent and held."""
        return _budget(self.states.read(self.job_id, BUDGET))

    def hold(self, shard: int, asked_round: int, usd: Decimal, *, cap: Decimal) -> bool:
        """Hold a round's worst case, or more of it. False: it does not fit under the cap."""
        until = int((self.clock.now() + UNDER_WAY).timestamp())

        def held(text: bytes | None) -> Changed[bool]:
            state, fits = hold(_budget(text), shard, asked_round, usd, cap=cap, until=until)
            return msgspec.json.encode(state) if fits else None, fits

        return self.states.change(self.job_id, BUDGET, held, at=self.clock.now())

    def release(self, shard: int, asked_round: int) -> None:
        """Let go of what a round holds. Only for who holds the round's intent, and has sent nothing."""
        self._change(lambda state: release(state, shard, asked_round))

    def settle(self, shard: int, asked_round: int, usd: Decimal) -> None:
        """Note what a round's answers cost, once."""
        self._change(lambda state: settle(state, shard, asked_round, usd))

    def _change(self, change: Callable[[BudgetState], BudgetState]) -> None:
        def changed(text: bytes | None) -> Changed[None]:
            return msgspec.json.encode(change(_budget(text))), None

        self.states.change(self.job_id, BUDGET, changed, at=self.clock.now())


def _budget(text: bytes | None) -> BudgetState:
    return BudgetState() if text is None else msgspec.json.decode(text, type=BudgetState)
