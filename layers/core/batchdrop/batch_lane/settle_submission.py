"""Settle a submission whose answer was lost: find the Message Batch it became, or make sure that it became none.

The API lists Message Batches of all clients, without a name on them. Ours is one that was created since the attempt,
counts as many requests, is not another submission's, and whose results carry our custom_ids.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.result import MessageBatch
from batchdrop.answers.result_line import ResultId
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import (
    ApiUnavailable,
    MessageBatchLost,
    RateLimited,
    ResultsForeign,
    ResultsIncomplete,
    SubmissionUnsettled,
)
from batchdrop.job.halting import halting_on_account_trouble
from batchdrop.job.ports import Ledger
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.submission import Submission
from batchdrop.ports import Clock

CLOCK_SKEW = timedelta(minutes=5)  # between our clock and the API's
# Just ended, or cut off: it can be read later. Or it never can, which may be another client's trouble: not yet our end.
UNREADABLE = (
    ApiUnavailable,
    RateLimited,
    MessageBatchLost,
    ResultsIncomplete,
    ResultsForeign,
    msgspec.DecodeError,
    UnicodeDecodeError,
)
MOST_NAMED = 5  # undecided Message Batches that a reason names; it ends up beside every row of the shard
MOST_SAID = 200  # characters of what is said of each; an API's error may hold a page of HTML


@dataclass(frozen=True, slots=True)
class Settled:
    """What is known now.

    `accepted`: it is `batch_id`. `absent`: nothing was created, and another attempt may be made. `open`: look again;
    `why` says what could not be told.
    """

    verdict: Literal["accepted", "absent", "open"]
    batch_id: str = ""
    why: str = field(default="", compare=False)


def settle_submission(
    job_id: str,
    shard: int,
    round_number: int,
    *,
    ledger: Ledger,
    api: BatchReader,
    clock: Clock,
    visible_after: timedelta,
    is_last: bool,
) -> Settled:
    """Look for what a sent attempt became.

    `visible_after` is how long after the end of an attempt its Message Batch may at most take to be listed; only after
    that is it taken for absent. Raises AccountTrouble; and SubmissionUnsettled where a look that `is_last` would have
    to be followed by another.
    """
    standing = ledger.submission(job_id, shard, round_number)
    if standing is None or standing.state == "armed":
        return Settled("absent")
    if standing.batch_id is not None:
        return Settled("accepted", standing.batch_id)
    settled = _look(standing, ledger, api, clock, visible_after)
    if is_last and settled.verdict == "open":
        raise SubmissionUnsettled(_unsettled(standing, settled.why))
    return settled


def _look(standing: Submission, ledger: Ledger, api: BatchReader, clock: Clock, visible_after: timedelta) -> Settled:
    looked_at = clock.now()
    try:
        with halting_on_account_trouble(standing.job_id, ledger, clock):
            ours, undecided = _candidates(standing, ledger, api)
    except (ApiUnavailable, RateLimited) as trouble:
        return Settled("open", why=f"the list of Message Batches cannot be read ({_said(trouble)})")
    if ours:
        return _adopt(standing, ours, ledger)
    if undecided:
        return Settled("open", why=_named(undecided))
    if looked_at < standing.over_at + visible_after:
        return Settled("open", why="the list may not show it yet")
    ledger.rearm(standing)
    return Settled("absent")


def _adopt(standing: Submission, ours: list[MessageBatch], ledger: Ledger) -> Settled:
    """Take the one that answered most; a second one has ended too, so there is nothing left to cancel in it."""
    best = max(ours, key=lambda batch: batch.request_counts.succeeded)
    accepted = ledger.accept(standing, best.id).batch_id
    if accepted is None:
        return Settled("open", why=f"{best.id} (ours, but another attempt came between)")
    return Settled("accepted", accepted)


class _CannotTell(Exception):  # an answer, not a fault
    """It cannot be told yet whose a Message Batch is; the message says why."""


def _candidates(standing: Submission, ledger: Ledger, api: BatchReader) -> tuple[list[MessageBatch], dict[str, str]]:
    """Return those that are ours; and by their ids, why it cannot be told yet whether others are."""
    ours: list[MessageBatch] = []
    undecided: dict[str, str] = {}
    for batch in api.created_since(standing.sent_at - CLOCK_SKEW):
        if batch.request_counts.total != standing.requests or ledger.is_claimed(batch.id):
            continue
        try:
            if _is_ours(batch, standing, api):
                ours.append(batch)
        except _CannotTell as reason:
            undecided[batch.id] = str(reason)
    return ours, undecided


def _is_ours(batch: MessageBatch, standing: Submission, api: BatchReader) -> bool:
    """Look for one of our custom_ids in the results. Raises _CannotTell.

    Lines that nobody asked for may stand among ours, so one line proves only what is ours. Others' are results that
    were read to their end, as many as the Message Batch counts, without one of ours.
    """
    if batch.processing_status != "ended":
        raise _CannotTell(f"{batch.processing_status}, created {batch.created_at}")
    ours = custom_id.prefix(standing.job_id, standing.shard)
    ids = msgspec.json.Decoder(ResultId)
    lines = 0
    try:
        with closing(api.results(batch)) as blocks:
            for lines, line in enumerate(filter(bytes.strip, whole_lines(blocks)), start=1):  # noqa: B007 - the last counts
                if ids.decode(line).custom_id.startswith(ours):
                    return True
    except UNREADABLE as trouble:
        raise _CannotTell(_said(trouble)) from trouble
    if lines < batch.request_counts.total:
        raise _CannotTell(f"{lines} results, none of them ours, of {batch.request_counts.total}")
    return False


def _said(trouble: Exception) -> str:
    return f"{type(trouble).__name__}: {trouble}"[:MOST_SAID]


def _named(undecided: dict[str, str]) -> str:
    named = [f"{batch_id} ({why})" for batch_id, why in [*undecided.items()][:MOST_NAMED]]
    more = [f"{len(undecided) - MOST_NAMED} more"] if len(undecided) > MOST_NAMED else []
    return "; ".join(named + more)


def _unsettled(standing: Submission, why: str) -> str:
    ours = custom_id.prefix(standing.job_id, standing.shard)
    return (
        f"shard {standing.shard}, round {standing.round_number}: what became of the create of "
        f"{standing.sent_at:%Y-%m-%d %H:%M:%S} UTC could not be told: {why}. Nothing was sent again, for it may exist "
        f"and be billed. Look at the Message Batches in the Console (ours holds custom_ids that begin with {ours}), "
        f"then `batchdrop resume {standing.job_id}`: it looks again"
    )
