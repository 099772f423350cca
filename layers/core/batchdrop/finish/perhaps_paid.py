"""Find what a shard's requests without a readable result may cost, and where their results can be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal

import msgspec

from batchdrop.admission.budget import NOTHING, at_lane
from batchdrop.admission.cache_hold import cache_hold
from batchdrop.admission.worst_case import WorstCase, search_fee
from batchdrop.answers import custom_id
from batchdrop.answers.outcome import SentRequest
from batchdrop.errors import RecipeRejected
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import primes
from batchdrop.job.ports import Ledger
from batchdrop.job.stored_lines import whole_lines
from batchdrop.money.prices import PriceTable, effective
from batchdrop.money.prompt_tokens import request_size
from batchdrop.ports import ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.report.perhaps_paid import PerhapsPaid
from batchdrop.requests.stored_request import StoredRequest, stored_request

BatchIdOf = Callable[[int], str | None]


class _Params(msgspec.Struct):
    model: str = ""


_PARAMS = msgspec.json.Decoder(_Params)


def batch_ids(job_id: str, shard: int, ledger: Ledger) -> BatchIdOf:
    """Return a function from a round to the id of its Message Batch; None if it is not known, or if it went live."""

    def batch_id_of(round_number: int) -> str | None:
        sent = ledger.submission(job_id, shard, round_number)
        return sent.batch_id if sent else None

    return batch_id_of


def sent_request(own: str, row: int, index: AnswerIndex, batch_id_of: BatchIdOf) -> SentRequest:
    """Return where the result of a row can be found. `own` is the prefix of the shard's custom_ids."""
    return SentRequest(custom_id.after(own, row), batch_id_of(index.last_round(row)), index.attempts(row))


def perhaps_paid_in(
    keys: JobKeys,
    shard: int,
    index: AnswerIndex,
    *,
    manifest: Manifest,
    store: ObjectStore,
    batch_id_of: BatchIdOf,
) -> PerhapsPaid:
    """Return the requests of a shard that may be paid, and their highest cost.

    A round without a known Message Batch counts at the standard price, which is the higher one. The stored requests
    lack the marks for the prompt cache, which are set while they are sent.
    """
    found, prices = PerhapsPaid(), effective(manifest.prices)
    written = cache_hold(manifest, 1) if primes(manifest.cache) else NOTHING
    worst: dict[str, WorstCase | None] = {}
    for round_number in sorted({number for _, number in index.perhaps_paid}):
        for row, request in _requests(keys.requests(shard, round_number), store):
            times = index.perhaps_paid.get((row, round_number), 0)
            if times:
                usd = _worst_usd(bytes(request.params), worst, prices)
                lane: Lane = "batch" if batch_id_of(round_number) else "live"
                fee = search_fee(request_size(bytes(request.params)).searches, prices)
                found.add(times, None if usd is None else at_lane((usd + written) * times, lane) + fee * times)
    return found


def _requests(key: str, store: ObjectStore) -> Iterator[tuple[int, StoredRequest]]:
    with closing(store.stream(key)) as blocks:
        for line in whole_lines(blocks):
            request = stored_request(line)
            row = custom_id.parse(request.custom_id) if request else None
            if request is not None and row is not None:
                yield row.index, request


def _worst_usd(params: bytes, worst: dict[str, WorstCase | None], prices: PriceTable | None) -> Decimal | None:
    model = _PARAMS.decode(params).model
    if model not in worst:
        try:
            worst[model] = WorstCase(model, prices=prices)
        except RecipeRejected:  # the model has no known price
            worst[model] = None
    known = worst[model]
    try:
        return None if known is None else known.add(params)
    except RecipeRejected:  # its geography has no known price
        return None
