"""A job's budget in the ledger: rounds hold their worst case, and are settled at their real cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import msgspec

from batchdrop.admission.budget import NO_ANSWERS, BudgetState, Seen, Wave, hold, plan, release, settle
from batchdrop.admission.ports import Changed, SharedStates
from batchdrop.ports import Clock

BUDGET = "budget"
UNDER_WAY = timedelta(hours=26)  # then a round is no longer expected to cost less than it holds


@dataclass(frozen=True, slots=True)
class JobBudget:
    """The budget of one job. Writes raise LedgerContended."""

    job_id: str
    states: SharedStates
    clock: Clock

    def state(self) -> BudgetState:
        """Return the spent and held dollars."""
        return _budget(self.states.read(self.job_id, BUDGET))

    def hold(self, shard: int, round_number: int, usd: Decimal, *, cap: Decimal) -> bool:
        """Hold a round's worst case, or more of it. Return False if it does not fit under the cap."""
        until = int((self.clock.now() + UNDER_WAY).timestamp())

        def held(text: bytes | None) -> Changed[bool]:
            state, fits = hold(_budget(text), shard, round_number, usd, cap=cap, until=until)
            return msgspec.json.encode(state) if fits else None, fits

        return self.states.change(self.job_id, BUDGET, held, at=self.clock.now())

    def plan(self, shard: int, round_number: int, wave: Wave, usd: Decimal, *, cap: Decimal) -> Wave | None:
        """Plan a round and hold its worst case; return its plan, which may be an earlier one.

        Returns None if the worst case does not fit under the cap.
        """
        until = int((self.clock.now() + UNDER_WAY).timestamp())

        def planned(text: bytes | None) -> Changed[Wave | None]:
            state, kept = plan(_budget(text), shard, round_number, wave, usd, cap=cap, until=until)
            return None if kept is None else msgspec.json.encode(state), kept

        return self.states.change(self.job_id, BUDGET, planned, at=self.clock.now())

    def release(self, shard: int, round_number: int) -> None:
        """Release a round's hold. Only the attempt with the round's intent may call this, before it sends."""
        self._change(lambda state: release(state, shard, round_number))

    def settle(self, shard: int, round_number: int, usd: Decimal, seen: Seen = NO_ANSWERS) -> None:
        """Settle a round at the cost of its answers, once; `seen` says how long they are."""
        self._change(lambda state: settle(state, shard, round_number, usd, seen))

    def _change(self, change: Callable[[BudgetState], BudgetState]) -> None:
        def changed(text: bytes | None) -> Changed[None]:
            return msgspec.json.encode(change(_budget(text))), None

        self.states.change(self.job_id, BUDGET, changed, at=self.clock.now())


def _budget(text: bytes | None) -> BudgetState:
    return BudgetState() if text is None else msgspec.json.decode(text, type=BudgetState)
