"""Plan a shard's next round in a job that is sent in waves, and write its create body."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.admission.budget import NOTHING, BudgetState, Wave, at_lane
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.waves import Choice, Pending, allowance, chosen, limit_of, price_lane, share_of
from batchdrop.admission.worst_case import RAISED, WorstCase, fees_of
from batchdrop.answers import custom_id
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.leftovers import changed_params
from batchdrop.finish.unsent_rows import Unsent, unsent_rows
from batchdrop.job.job_files import shape_of
from batchdrop.job.lane import lane_of_leftovers
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import whole_lines
from batchdrop.money.prices import effective
from batchdrop.ports import Clock, ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.request import request_line
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.requests.stored_request import StoredRequest, stored_request

TRIES = 4  # ours: other shards plan at the same time
MOST_WAVES = 200  # ours: rounds of one execution; each takes some dozens of AWS's 25,000 history events


@dataclass(frozen=True, slots=True)
class NextWave:
    """The next round: its requests, its highest cost at the standard price, and its lane."""

    requests: int
    worst_usd: Decimal
    lane: Lane


def next_wave(
    state: ShardState,
    manifest: Manifest,
    index: AnswerIndex,
    *,
    store: ObjectStore,
    ledger: Ledger,
    clock: Clock,
    budget: JobBudget,
    live_rows: int,
) -> NextWave | None:
    """Plan the next round, hold its worst case and write its body. Return None if no row waits.

    If not even one request fits under the cap, or the job is halted, nothing is held or written. The submission then
    waits or is refused, and names what all the rows that wait may cost. A halted job without unsent rows has no next
    round.
    """
    unsent = unsent_rows(state, manifest, index, goes_live=False)
    is_late = bool(state.deadline) and clock.now().timestamp() >= state.deadline
    lane = lane_of_leftovers(
        manifest.recipe,
        lane=state.lane,
        leftovers=len(unsent.known),
        live_rows=live_rows,
        is_late=is_late,
        has_new=unsent.new > 0,
    )
    submission = ledger.submission(state.job_id, state.shard, state.round + 1)
    if submission is not None:
        lane = "batch"  # an earlier execution may have sent that round: find it, even if late; do not pay it twice
    if lane != state.lane:
        unsent = unsent_rows(state, manifest, index, goes_live=True)
    is_halted = ledger.halted(state.job_id) is not None
    if not unsent.count or (is_halted and not unsent.new):
        return None
    planner = _Planner(state, manifest, index, unsent, lane, store, budget)
    is_over = state.round >= MOST_WAVES * (1 + state.resumes)
    wave = None if is_halted or is_over else planner.wave()
    if wave is None:
        return NextWave(unsent.count, planner.worst_of_all(), lane)
    # A body that may be on its way must not change. A live round has no submission, and its answers may be stored.
    if (submission is not None or lane == "live") and planner.is_written:
        return planner.written()
    return planner.write(wave)


class _Planner:
    def __init__(
        self,
        state: ShardState,
        manifest: Manifest,
        index: AnswerIndex,
        unsent: Unsent,
        lane: Lane,
        store: ObjectStore,
        budget: JobBudget,
    ) -> None:
        assert manifest.recipe is not None, "only a recipe has a cap"
        assert manifest.recipe.cap is not None, "only a job with a cap is sent in waves"
        self._recipe: Recipe = manifest.recipe
        self._cap = manifest.recipe.cap
        self._shard, self._round = state.shard, state.round + 1
        self._manifest, self._index, self._unsent, self._lane = manifest, index, unsent, lane
        self._item: ShardItem = manifest.shards[state.shard]
        self._keys, self._store, self._budget = JobKeys(state.job_id), store, budget
        self._prices = effective(manifest.prices)
        self._worst = WorstCase(self._recipe.later_model, prices=self._prices)
        self._fee = fees_of(self._recipe, 1, prices=self._prices)
        self._limit = 0

    def wave(self) -> Wave | None:
        """Return the round's plan, which may be an earlier attempt's; None if no request fits."""
        for _ in range(TRIES):
            standing = self._budget.state()
            known = standing.wave(self._shard, self._round)
            if known is not None:
                return known
            choice = self._choice(standing)
            if choice is None:
                return None
            wave = Wave(choice.requests, choice.limit)
            planned = self._budget.plan(self._shard, self._round, wave, self._held(choice), cap=self._cap)
            if planned is not None:
                return planned
        return None

    def worst_of_all(self) -> Decimal:
        """Return the highest cost of all rows that wait, at the standard price."""
        each = self._pending(Decimal(1), NOTHING)
        return sum((min(one.full, one.limited) if self._limit else one.full for one in each), NOTHING)

    @property
    def is_written(self) -> bool:
        """Return whether the round has its create body."""
        return self._store.exists(self._keys.requests(self._shard, self._round))

    def written(self) -> NextWave:
        """Return the round as it was written."""
        written = [self._worst.add(bytes(request.params)) for _, request in self._requests(self._round)]
        return NextWave(len(written), sum(written, NOTHING), self._lane)

    def write(self, wave: Wave) -> NextWave:
        """Write the create body of a planned round."""
        sent = {one.row for one in self._in_order(self._pending(NOTHING, NOTHING))[: wave.requests]}
        worst, separator = NOTHING, BODY_HEAD
        with self._store.writer(self._keys.requests(self._shard, self._round)) as body:
            for row, request in self._requests():
                if row not in sent:
                    continue
                params = self._params(row, request, wave.limit)
                worst += self._worst.add(params)
                body.write(separator + request_line(request.custom_id, params))
                separator = BODY_SEPARATOR
            body.write(BODY_TAIL)
        return NextWave(len(sent), worst, self._lane)

    def _choice(self, standing: BudgetState) -> Choice | None:
        self._limit = limit_of(self._recipe, shape_of(self._manifest), standing.seen)
        pending = self._in_order(self._pending(share_of(price_lane(self._recipe, self._lane)), self._fee))
        if not pending:
            return None
        least = min(pending[0].full, pending[0].limited)
        allowed = allowance(standing, self._item, self._manifest, self._cap, least=least)
        return chosen(pending, limit=self._limit, allowed=allowed)

    def _held(self, choice: Choice) -> Decimal:
        """Return what the choice costs in its lane; it was chosen to fit at the price of the lane where it may end."""
        fees = self._fee * choice.requests
        at_price = (choice.usd - fees) / share_of(price_lane(self._recipe, self._lane))
        return at_lane(at_price, self._lane) + fees

    def _pending(self, share: Decimal, fee: Decimal) -> list[Pending]:
        """Return the rows that wait, in the file's order, priced at a share of the standard price."""
        found = []
        for row, request in self._requests():
            is_known = row in self._unsent.known
            if not is_known and self._index.attempts(row):
                continue
            full = limited = NOTHING
            if share:
                times = RAISED if row in self._unsent.raised else 1
                params = changed_params(request.params, model=self._model(row))
                own, short = self._worst.with_limit(params, limit=self._limit, times=times)
                full = own * share + fee
                limited = short * share + fee if self._may_limit(row) else full
            found.append(Pending(row, full, limited, not is_known))
        return found

    def _in_order(self, pending: list[Pending]) -> list[Pending]:
        """Return rows that were sent before first, the least sent of them foremost.

        Every attempt has the same order, and so makes the same round of a plan.
        """
        return sorted(pending, key=lambda one: (one.is_new, self._index.attempts(one.row)))

    def _requests(self, round_number: int = 0) -> Iterator[tuple[int, StoredRequest]]:
        with closing(self._store.stream(self._keys.requests(self._shard, round_number))) as blocks:
            for line in whole_lines(blocks):
                request = stored_request(line)
                parsed = custom_id.parse(request.custom_id) if request else None
                if request is not None and parsed is not None:
                    yield parsed.index, request

    def _may_limit(self, row: int) -> bool:
        """Return whether our limit applies to a row: not after an answer of it was cut."""
        waits = self._unsent
        has_own = row in waits.raised or row in waits.restored or row in waits.escalated
        return not has_own and not self._index.had_cut(row)

    def _model(self, row: int) -> str | None:
        """Return the other model, if it answers the row."""
        escalate = self._recipe.escalate
        return escalate.to if escalate is not None and row in self._unsent.escalated else None

    def _params(self, row: int, request: StoredRequest, limit: int) -> bytes:
        if row in self._unsent.raised or row in self._unsent.escalated:
            times = RAISED if row in self._unsent.raised else 1
            return changed_params(request.params, times=times, model=self._model(row))
        if limit and self._may_limit(row):
            fields: dict[str, Any] = msgspec.json.decode(request.params)
            return msgspec.json.encode({**fields, "max_tokens": min(limit, fields["max_tokens"])})
        return bytes(request.params)
