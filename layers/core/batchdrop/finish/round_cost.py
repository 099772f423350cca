"""Compute a round's cost from the usage of its paid answers, and settle it in the budget."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal

from batchdrop.admission.budget import Seen, at_lane
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.worst_case import WorstCase, fees_of, worst_of_leftovers, worst_of_shard
from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import heads_of
from batchdrop.answers.result_line import ResultHead
from batchdrop.answers.tokens import Tokens
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import whole_lines
from batchdrop.money.cost import PriceTable, dollars, lane_of, unit_of
from batchdrop.money.prices import effective
from batchdrop.ports import ObjectStore

UNPAID = {"errored", "canceled", "expired"}


def settle_round(state: ShardState, manifest: Manifest, store: ObjectStore, *, budget: JobBudget) -> WorstCase | None:
    """Settle a round whose answers are in the bucket; return a fresh WorstCase for the next round.

    Returns None if the job has no budget. A second call changes nothing. Raises LedgerContended.
    """
    recipe = manifest.recipe
    if recipe is None or recipe.cap is None:
        return None
    item, prices = manifest.shards[state.shard], effective(manifest.prices)
    worst = worst_of_shard(item, recipe, prices=prices) if not state.round else state.worst_usd
    worst = worst or worst_of_leftovers(item, recipe, state.requests, prices=prices)
    fees = fees_of(recipe, state.requests, prices=prices)
    each = (at_lane(worst, state.lane) + fees) / max(state.requests, 1)
    with closing(store.stream(JobKeys(state.job_id).answers(state.shard, state.round))) as blocks:
        lines = filter(bytes.strip, whole_lines(blocks))
        cost = RoundCost(state.job_id, item, prices=prices)
        usd = cost.of(lines, each=each)
    budget.settle(state.shard, state.round, usd, Seen(cost.answers, cost.longest))
    return WorstCase(recipe.later_model, prices=prices)


class RoundCost:
    """Adds up the cost of one round's result lines. `longest` is the most tokens that one of its `answers` has."""

    def __init__(self, job_id: str, item: ShardItem, *, prices: PriceTable | None = None) -> None:
        self._shard = (job_id, item.shard)
        self._seen = bytearray(item.rows)
        self._tokens: dict[tuple[object, ...], Tokens] = {}
        self._prices = prices
        self.answers = self.longest = 0

    def of(self, lines: Iterable[bytes], *, each: Decimal) -> Decimal:
        """Return the cost of the lines' answers, in dollars.

        An answer without a known price counts as `each`: its result type is unknown, or its model has no price. So does
        a try of the live lane whose answer was lost.
        """
        unpriced = sum(self._unpriced(head) for line in lines for head in heads_of(line))
        usd = unpriced * each
        for tokens in self._tokens.values():
            cost = dollars([tokens], self._prices)
            usd += tokens.answers * each if cost is None else cost
        return usd

    def _unpriced(self, known: ResultHead) -> int:
        """Return how many tries of a line's request count as `each`."""
        lost = 0 if known.result.type in UNPAID else known.lost
        return max(lost, self._is_unpriced(known))

    def _is_unpriced(self, known: ResultHead) -> bool:
        """Count one line's tokens. Return True if the line may be paid but has no usage."""
        message = known.result.message
        if known.result.type in UNPAID or not self._is_new(known):
            return False
        if message is None:
            return True
        self.answers += 1
        self.longest = max(self.longest, message.usage.output_tokens)
        unit = unit_of(message)
        self._tokens.setdefault(unit.price_key, unit).add([message.usage])
        return False

    def _is_new(self, line: ResultHead) -> bool:
        """Return whether the line is the shard's own and not a repeat. A second live answer is paid, so it is new."""
        row = custom_id.parse(line.custom_id)
        if row is None or (row.job, row.shard) != self._shard or row.index >= len(self._seen):
            return False
        is_live = line.result.message is not None and lane_of(line.result.message.usage) == "live"
        was_seen, self._seen[row.index] = self._seen[row.index], 1
        return is_live or not was_seen
