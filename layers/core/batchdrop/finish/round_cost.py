"""What a round has cost, from the usage of every answer in it that was paid: so much of the budget is spent."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal

import msgspec

from batchdrop.admission.budget import at_lane
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.worst_case import WorstCase, worst_of_leftovers, worst_of_shard
from batchdrop.answers import custom_id
from batchdrop.answers.result_line import ResultHead
from batchdrop.answers.tokens import Tokens
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import whole_lines
from batchdrop.money.cost import PriceTable, dollars, is_long_prompt, lane_of
from batchdrop.money.prices import effective
from batchdrop.ports import ObjectStore
from batchdrop.recipe.lane import Lane

UNPAID = {"errored", "canceled", "expired"}


def settle_round(state: ShardState, manifest: Manifest, store: ObjectStore, *, budget: JobBudget) -> WorstCase | None:
    """Settle the round, whose answers are in the bucket; return what prices the next one.

    None, and nothing is done, where the job has no budget. Settling twice is settling once. Raises LedgerContended.
    """
    recipe = manifest.recipe
    if recipe is None or recipe.cap is None:
        return None
    item, prices = manifest.shards[state.shard], effective(manifest.prices)
    worst = worst_of_shard(item, recipe, prices=prices) if not state.round else state.worst_usd
    worst = worst or worst_of_leftovers(item, recipe, state.requests, prices=prices)
    each = at_lane(worst, state.lane) / max(state.requests, 1)
    with closing(store.stream(JobKeys(state.job_id).answers(state.shard, state.round))) as blocks:
        lines = filter(bytes.strip, whole_lines(blocks))
        usd = RoundCost(state.job_id, item, prices=prices).of(lines, each=each)
    budget.settle(state.shard, state.round, usd)
    return WorstCase(recipe.model, prices=prices)


class RoundCost:
    """Adds up one round's lines."""

    def __init__(self, job_id: str, item: ShardItem, *, prices: PriceTable | None = None) -> None:
        self._whose = (job_id, item.shard)
        self._seen = bytearray(item.rows)
        self._tokens: dict[tuple[str, bool, Lane], Tokens] = {}
        self._prices = prices
        self._lines = msgspec.json.Decoder(ResultHead)

    def of(self, lines: Iterable[bytes], *, each: Decimal) -> Decimal:
        """Return what the lines' answers cost, in dollars.

        What cannot be priced (a result of an unknown type, a model without a price) counts as `each` at most could.
        """
        unpriced = sum(self._take(line) for line in lines)
        usd = unpriced * each
        for tokens in self._tokens.values():
            cost = dollars([tokens], self._prices)
            usd += tokens.answers * each if cost is None else cost
        return usd

    def _take(self, line: bytes) -> bool:
        """Count one line's tokens; True if it may have been paid, and does not say how much."""
        known = self._lines.decode(line)
        message = known.result.message
        if known.result.type in UNPAID or not self._is_new(known):
            return False
        if message is None:
            return True
        key = (message.model, is_long_prompt(message.usage), lane_of(message.usage))
        self._tokens.setdefault(key, Tokens(*key)).add([message.usage])
        return False

    def _is_new(self, line: ResultHead) -> bool:
        """Tell a paid answer from another's, and from a repeated one; a second answer of the live lane is paid, too."""
        row = custom_id.parse(line.custom_id)
        if row is None or (row.job, row.shard) != self._whose or row.index >= len(self._seen):
            return False
        is_live = line.result.message is not None and lane_of(line.result.message.usage) == "live"
        was_seen, self._seen[row.index] = self._seen[row.index], 1
        return is_live or not was_seen
