"""Admission: before a round is sent, it holds its worst-case cost and takes a place in the API's queue.

Hold and place belong to (job, shard, round), so a repeated or resumed function finds them again. Only the attempt that
may send a round can release its hold, and it checks the hold before sending. So a superseded attempt never sends a
round that is not held.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.admission.budget import BudgetState, at_lane, rounded_up, shown
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.cache_hold import cache_hold
from batchdrop.admission.waves import price_lane
from batchdrop.admission.worst_case import fees_of, worst_of_leftovers, worst_of_shard
from batchdrop.errors import BudgetReached, InvariantBroken, LedgerContended
from batchdrop.job.job_files import read_manifest
from batchdrop.job.manifest import Manifest
from batchdrop.job.polling import MOST_WAITS, turn_seconds
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import Halt
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.prices import effective
from batchdrop.ports import Clock, ObjectStore
from batchdrop.recipe.lane import Lane

Turn = Literal["queue", "budget"]


@dataclass(frozen=True, slots=True)
class MustWait:
    """The round must wait: `waits_for` names the reason, `seconds` is the time until the next try."""

    waits_for: Turn
    seconds: int


@dataclass(frozen=True, slots=True)
class PlanAgain:
    """The round before must be collected again, which plans this one: money was freed since."""


class Admission:
    """The admission of a ShardState's round.

    `may_mark`: it may be marked for the prompt cache, because `request_turn` held what writing the prefix may cost.
    """

    may_mark = False

    def __init__(
        self,
        state: ShardState,
        *,
        store: ObjectStore,
        ledger: Ledger,
        places: QueuePlaces,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._state = state
        self._store = store
        self._ledger = ledger
        self._places = places
        self._clock = clock
        self._jitter = jitter
        self.states = places.states
        self._budget = JobBudget(state.job_id, places.states, clock)

    def request_turn(self) -> MustWait | PlanAgain | None:
        """Return None if the round may be sent, or what it waits for.

        Returns PlanAgain if no request of the round fitted when it was planned, and some may fit now. Raises
        BudgetReached if the round might exceed the cap, and no open round may turn out cheaper.
        """
        seconds = self._wait_seconds()
        try:
            if self.is_unplanned():
                return PlanAgain() if self._may_fit_now() else MustWait("budget", seconds)
            if not self._is_covered():
                return MustWait("budget", seconds)
            if self._state.lane == "batch" and not self._has_place(seconds):
                return MustWait("queue", seconds)
        except LedgerContended:
            return MustWait("queue", seconds)
        return None

    def is_unplanned(self) -> bool:
        """Return whether no request of the round fitted under the cap when the round before it was collected."""
        if not self._manifest.waves or not self._state.round:
            return False
        return self._budget.state().wave(self._state.shard, self._state.round) is None

    def stands(self) -> bool:
        """Return whether the round still has its hold. Only the attempt that may send the round may call this."""
        return self._cap is None or self._budget.state().covers(self._state.shard, self._state.round)

    def give_back(self) -> None:
        """Release hold and place after a final refusal. Only the attempt that may send the round may call this."""
        with suppress(LedgerContended):  # then the place expires after a day, and the hold after a resume
            self.leave_queue()
            if self._cap is not None:
                self._budget.release(self._state.shard, self._state.round)

    def leave_queue(self) -> None:
        """Leave the place but keep the hold, because the live lane sends the round."""
        with suppress(LedgerContended):  # the place expires after a day
            self._places.leave(self._state.job_id, self._state.shard, self._state.round)

    def _has_place(self, seconds: int) -> bool:
        """Take the place. After weeks of waiting, send anyway: the API answers 429 if its queue is full."""
        state = self._state
        is_admitted = self._places.take(
            state.job_id, state.shard, state.round, requests=state.requests, wait_seconds=seconds
        )
        return is_admitted or state.waits >= MOST_WAITS

    def _is_covered(self) -> bool:
        """Hold the round's worst case; return False if it must wait. Raises BudgetReached."""
        self.may_mark = self._state.may_be_marked and (self._cap is None or self._holds(self._worst + self._marking))
        if self._cap is None or self.may_mark or self._holds(self._worst):
            return True
        standing = self._budget.state()
        if self._is_under_way(standing):
            return False
        raise self._reached(standing, self._cap)

    def _may_fit_now(self) -> bool:
        """Return whether the round may be planned again; False if it waits for others. Raises BudgetReached.

        It is planned again only after a wait: without one, nothing has changed.
        """
        recipe = self._manifest.recipe
        assert recipe is not None, "only a recipe has a cap"
        assert recipe.cap is not None, "only a job with a cap is sent in waves"
        standing, is_under_way = self._budget.state(), self._is_under_way(self._budget.state())
        worst = self._worst_in(price_lane(recipe, self._state.lane))
        fits = standing.spent + standing.held + worst <= recipe.cap
        if self._state.waits and (fits or not is_under_way):
            return True
        if is_under_way:
            return False
        raise self._reached(standing, recipe.cap)

    def _is_under_way(self, standing: BudgetState) -> bool:
        """Return whether another shard may turn out cheaper than it holds, and time is left to wait for it."""
        failed = [failure.shard for failure in self._ledger.shard_failures(self._state.job_id)]
        now = int(self._clock.now().timestamp())
        is_under_way = standing.under_way(beside=self._state.shard, failed=failed, now=now)
        return is_under_way and self._state.waits < MOST_WAITS

    def _reached(self, standing: BudgetState, cap: Decimal) -> BudgetReached:
        """Halt the job; return the error to raise."""
        reason = self._reason(standing, cap)
        self._ledger.halt(self._state.job_id, Halt(BudgetReached.__name__, reason, self._clock.now()))
        return BudgetReached(reason)

    def _holds(self, usd: Decimal) -> bool:
        assert self._cap is not None, "without a cap, nothing is held"
        return self._budget.hold(self._state.shard, self._state.round, usd, cap=self._cap)

    @property
    def _marking(self) -> Decimal:
        """Return what a marked round may cost more, in its lane."""
        return at_lane(cache_hold(self._manifest, self._state.requests), self._state.lane)

    def _reason(self, standing: BudgetState, cap: Decimal) -> str:
        state = self._state
        held = f", {shown(standing.held)} is held for rounds with an unknown outcome" if standing.held else ""
        key = parse_inbox_key(self._manifest.upload.key).recipe_key
        return (
            f"max_cost_usd is {shown(cap)}: {shown(standing.spent)} is spent{held}, and the next round "
            f"(shard {state.shard}, round {state.round}: {state.requests:,} requests) may cost up to "
            f"{shown(self._worst)} more. Raise max_cost_usd in {key} to "
            f"{shown(rounded_up(standing.spent + standing.held + self._worst))} or more, then "
            f"`batchdrop resume {state.job_id}`: only rows without an answer are sent"
        )

    def _wait_seconds(self) -> int:
        """Return the seconds until the next try; a job that becomes late continues at its deadline."""
        wait = turn_seconds(self._state.waits, jitter=self._jitter())
        left = self._state.deadline - self._clock.now().timestamp()
        return max(1, min(wait, round(left))) if self._state.deadline and left > 0 else wait

    @cached_property
    def _manifest(self) -> Manifest:
        manifest = read_manifest(self._store, self._state.job_id)
        if manifest is None:
            message = f"job {self._state.job_id} has no manifest"
            raise InvariantBroken(message)
        return manifest

    @property
    def _cap(self) -> Decimal | None:
        return None if self._manifest.recipe is None else self._manifest.recipe.cap

    @cached_property
    def _worst(self) -> Decimal:
        """Return the round's highest cost in its lane."""
        return self._worst_in(self._state.lane)

    def _worst_in(self, lane: Lane) -> Decimal:
        state, recipe = self._state, self._manifest.recipe
        assert recipe is not None, "only a recipe has a cap"
        item, prices = self._manifest.shards[state.shard], effective(self._manifest.prices)
        fees = fees_of(recipe, state.requests, prices=prices)
        if state.round == 0:
            return at_lane(worst_of_shard(item, recipe, prices=prices), lane) + fees
        worst = state.worst_usd or worst_of_leftovers(item, recipe, state.requests, prices=prices)
        return at_lane(worst, lane) + fees
