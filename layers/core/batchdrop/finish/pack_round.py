"""Hold and write a round of a job with packs: its sidecar, and its create body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from decimal import Decimal

import msgspec

from batchdrop.admission.budget import NOTHING, BudgetState, Wave, at_lane
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.waves import Choice, Pending, allowance, chosen, price_lane, share_of
from batchdrop.admission.worst_case import RAISED, WorstCase
from batchdrop.answers import custom_id
from batchdrop.answers.pack_members import PackMembers
from batchdrop.finish.leftovers import changed_params
from batchdrop.finish.next_wave import TRIES, NextWave
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.shard_requests import Kept, ShardRequests
from batchdrop.finish.waiting_requests import Unit
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import whole_lines
from batchdrop.money.prices import effective
from batchdrop.ports import ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.request import request_line
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.requests.stored_request import stored_request


class PackRound:
    """Holds and writes the next round."""

    def __init__(
        self,
        state: ShardState,
        manifest: Manifest,
        rounds: PackedRounds,
        requests: ShardRequests,
        units: list[Unit],
        store: ObjectStore,
        budget: JobBudget,
        lane: Lane,
    ) -> None:
        assert manifest.recipe is not None, "only a recipe has packs"
        self._recipe: Recipe = manifest.recipe
        self._manifest, self._rounds, self._requests, self._units = manifest, rounds, requests, units
        self._item = manifest.shards[state.shard]
        self._shard, self._number = state.shard, state.round + 1
        self._keys, self._store, self._budget = JobKeys(state.job_id), store, budget
        self._own = custom_id.prefix(state.job_id, state.shard)
        self._lane = lane
        self._prices = effective(manifest.prices)
        self._earlier: dict[int, Kept] = {}

    @property
    def is_written(self) -> bool:
        """Return whether the round has its create body."""
        return self._store.exists(self._keys.requests(self._shard, self._number))

    def written(self) -> NextWave:
        """Return the round as it was written."""
        requests, worst = 0, NOTHING
        for _, params in self._stored(self._number):
            requests += 1
            worst += self._worst_of(params)
        return NextWave(requests, worst, self._lane)

    def wave(self) -> Wave | None:
        """Return how many of the requests the round sends, which may be an earlier attempt's plan; None for none."""
        cap = self._recipe.cap
        if cap is None:
            return Wave(len(self._units), 0)
        for _ in range(TRIES):
            standing = self._budget.state()
            known = standing.wave(self._shard, self._number)
            if known is not None:
                return known
            choice = self._choice(standing, cap)
            if choice is None:
                return None
            usd = at_lane(choice.usd / share_of(price_lane(self._recipe, self._lane)), self._lane)
            planned = self._budget.plan(self._shard, self._number, Wave(choice.requests, 0), usd, cap=cap)
            if planned is not None:
                return planned
        return None

    def worst(self, units: Iterable[Unit]) -> Decimal:
        """Return the highest cost of requests at the standard price; 0 without a cap."""
        return sum((self._worst_of(params) for _, params in self._params(units)), NOTHING)

    def write(self, units: list[Unit], members: PackMembers) -> NextWave:
        """Write the round's sidecar, and then its create body: where there is a body, there is a sidecar."""
        self._store.write(self._keys.packs(self._shard, self._number), members.body)
        worst, separator = NOTHING, BODY_HEAD
        with self._store.writer(self._keys.requests(self._shard, self._number)) as body:
            for unit, params in self._params(units):
                worst += self._worst_of(params)
                body.write(separator + request_line(custom_id.after(self._own, unit.rows[0]), params))
                separator = BODY_SEPARATOR
            body.write(BODY_TAIL)
        return NextWave(len(units), worst, self._lane)

    def _choice(self, standing: BudgetState, cap: Decimal) -> Choice | None:
        share = share_of(price_lane(self._recipe, self._lane))
        pending = [
            Pending(unit.rows[0], usd := self._worst_of(params) * share, usd, unit.is_new)
            for unit, params in self._params(self._units)
        ]
        allowed = allowance(standing, self._item, self._manifest, cap, least=pending[0].full)
        return chosen(pending, limit=0, allowed=allowed) if pending else None

    def _worst_of(self, params: bytes) -> Decimal:
        if self._recipe.cap is None:
            return NOTHING
        return WorstCase(self._recipe.later_model, prices=self._prices).add(params)

    def _params(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, bytes]]:
        """Yield the requests with their `params`: repeated, packed, or the row's own."""
        kept = list(units)
        self._keep_repeated({unit.rows[0]: unit.sent_in for unit in kept if unit.sent_in})
        for unit in kept:
            if unit.sent_in:
                yield unit, self._requests.kept(self._earlier[unit.rows[0]])
            elif len(unit.rows) > 1:
                label = f"{self._shard}/{unit.rows[0]}"
                frame = self._rounds.to_other if unit.is_escalated else self._rounds.requests
                yield unit, self._requests.pack(unit.rows, frame, label)
            else:
                params, escalate = self._requests.params(unit.rows[0]), self._recipe.escalate
                model = escalate.to if unit.is_escalated and escalate is not None else None
                times = RAISED if unit.is_raised else 1
                yield unit, changed_params(msgspec.Raw(params), times=times, model=model)

    def _keep_repeated(self, sent_in: dict[int, int]) -> None:
        """Copy repeated packs, which may have 250 MB, to the disk, where they are found by their lowest row."""
        missing = {first: number for first, number in sent_in.items() if first not in self._earlier}
        for number in sorted({*missing.values()}):
            for first, params in self._stored(number):
                if missing.get(first) == number:
                    self._earlier[first] = self._requests.keep(params)

    def _stored(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Yield the requests of a round, each by its lowest row."""
        with closing(self._store.stream(self._keys.requests(self._shard, number))) as blocks:
            for line in whole_lines(blocks):
                request = stored_request(line)
                parsed = custom_id.parse(request.custom_id) if request else None
                if request is not None and parsed is not None:
                    yield parsed.index, bytes(request.params)
