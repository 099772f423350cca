"""Settle a submission whose answer was lost: find the Message Batch it became, or make sure that it became none.

The API lists Message Batches of all clients, without a name on them. Ours is one that was created since the attempt,
counts as many requests, is not another submission's, and whose results carry our custom_ids.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import msgspec

from batchdrop.domain import custom_id
from batchdrop.domain.result import MessageBatch, ResultId
from batchdrop.domain.submission import Submission
from batchdrop.errors import ApiUnavailable, MessageBatchLost, RateLimited, ResultsIncomplete
from batchdrop.ports import BatchApi, Clock, Ledger
from batchdrop.usecases.account import halting_on_account_trouble
from batchdrop.usecases.stored_lines import whole_lines

CLOCK_SKEW = timedelta(minutes=5)  # between our clock and the API's


@dataclass(frozen=True, slots=True)
class Settled:
    """What is known now.

    `accepted`: it is `batch_id`. `absent`: nothing was created, and another attempt may be made. `open`: look again.
    """

    verdict: Literal["accepted", "absent", "open"]
    batch_id: str = ""


def settle_submission(
    job_id: str, shard: int, asked_round: int, *, ledger: Ledger, api: BatchApi, clock: Clock, visible_after: timedelta
) -> Settled:
    """Look for what a sent attempt became.

    `visible_after` is how long after the end of an attempt its Message Batch may at most take to be listed; only after
    that is it taken for absent. Raises AccountTrouble.
    """
    standing = ledger.submission(job_id, shard, asked_round)
    if standing is None or standing.state == "armed":
        return Settled("absent")
    if standing.batch_id is not None:
        return Settled("accepted", standing.batch_id)
    looked_at = clock.now()
    try:
        with halting_on_account_trouble(job_id, ledger, clock):
            ours, undecided = _candidates(standing, ledger, api)
    except (ApiUnavailable, RateLimited):
        return Settled("open")
    if ours:
        return _adopt(standing, ours, ledger)
    if undecided or looked_at < standing.over_at + visible_after:
        return Settled("open")
    ledger.rearm(standing)
    return Settled("absent")


def _adopt(standing: Submission, ours: list[MessageBatch], ledger: Ledger) -> Settled:
    """Take the one that answered most; a second one has ended too, so there is nothing left to cancel in it."""
    best = max(ours, key=lambda batch: batch.request_counts.succeeded)
    accepted = ledger.accept(standing, best.id).batch_id
    return Settled("accepted", accepted) if accepted else Settled("open")


def _candidates(standing: Submission, ledger: Ledger, api: BatchApi) -> tuple[list[MessageBatch], bool]:
    """Return those that are ours, and whether there are some of which that cannot be told yet."""
    ours: list[MessageBatch] = []
    undecided = False
    for batch in api.created_since(standing.sent_at - CLOCK_SKEW):
        if batch.request_counts.total != standing.requests or ledger.is_claimed(batch.id):
            continue
        is_ours = _is_ours(batch, standing, api)
        if is_ours:
            ours.append(batch)
        undecided = undecided or is_ours is None
    return ours, undecided


def _is_ours(batch: MessageBatch, standing: Submission, api: BatchApi) -> bool | None:
    """Look for one of our custom_ids in the results; None while it cannot be told.

    Lines that nobody asked for may stand among ours, so one line proves only what is ours. Others' are results that
    were read to their end, as many as the Message Batch counts, without one of ours.
    """
    if batch.processing_status != "ended":
        return None
    ours = custom_id.prefix(standing.job_id, standing.shard)
    ids = msgspec.json.Decoder(ResultId)
    lines = 0
    try:
        with closing(api.results(batch)) as blocks:
            for lines, line in enumerate(filter(bytes.strip, whole_lines(blocks)), start=1):  # noqa: B007 - the last counts
                if ids.decode(line).custom_id.startswith(ours):
                    return True
    except (ApiUnavailable, RateLimited, MessageBatchLost, ResultsIncomplete, msgspec.DecodeError):
        return None  # just ended, or cut off: it can be read later
    return False if lines >= batch.request_counts.total else None
