"""Settle a submission whose response was lost: find its Message Batch, or make sure that none was created.

The API lists the Message Batches of all clients, without names. Ours was created after the attempt began, counts as
many requests, is not claimed by another submission, and has our custom_ids in its results.
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
# These results may be readable later. If they never are, the Message Batch may be another client's, so our shard does
# not fail because of them.
UNREADABLE = (
    ApiUnavailable,
    RateLimited,
    MessageBatchLost,
    ResultsIncomplete,
    ResultsForeign,
    msgspec.DecodeError,
    UnicodeDecodeError,
)
MOST_NAMED = 5  # undecided Message Batches in a reason, because each row of the shard repeats the reason
MOST_SAID = 200  # characters of each reason, because an API's error can contain a page of HTML


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome of a submission, as far as it is known.

    `accepted`: it became `batch_id`. `absent`: nothing was created, so another attempt may be made. `open`: search
    again later; `why` says what is still unknown.
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
    """Search for the Message Batch of a sent attempt.

    The API lists a Message Batch at most `visible_after` the end of its attempt; only then can it count as absent.
    Raises AccountTrouble, and SubmissionUnsettled if this search `is_last` and the outcome is still open.
    """
    submission = ledger.submission(job_id, shard, round_number)
    if submission is None or submission.state == "armed":
        return Settled("absent")
    if submission.batch_id is not None:
        return Settled("accepted", submission.batch_id)
    settled = _search(submission, ledger, api, clock, visible_after)
    if is_last and settled.verdict == "open":
        raise SubmissionUnsettled(_unsettled(submission, settled.why))
    return settled


def _search(
    submission: Submission, ledger: Ledger, api: BatchReader, clock: Clock, visible_after: timedelta
) -> Settled:
    started_at = clock.now()  # before the list is read: a Message Batch may become visible while it is read
    try:
        with halting_on_account_trouble(submission.job_id, ledger, clock):
            ours, undecided = _candidates(submission, ledger, api)
    except (ApiUnavailable, RateLimited) as trouble:
        return Settled("open", why=f"the list of Message Batches cannot be read ({_shortened(trouble)})")
    if ours:
        return _adopt(submission, ours, ledger)
    if undecided:
        return Settled("open", why=_listed(undecided))
    if started_at < submission.over_at + visible_after:
        return Settled("open", why="the list of Message Batches may not show it yet")
    ledger.rearm(submission)
    return Settled("absent")


def _adopt(submission: Submission, ours: list[MessageBatch], ledger: Ledger) -> Settled:
    """Accept the one with the most answers. All of them have ended, so the others need no cancel."""
    best = max(ours, key=lambda batch: batch.request_counts.succeeded)
    accepted = ledger.accept(submission, best.id).batch_id
    if accepted is None:
        return Settled("open", why=f"{best.id} (ours, but a newer attempt has replaced this one)")
    return Settled("accepted", accepted)


class _Undecided(Exception):  # a normal result of `_is_ours`, not a fault
    """It is not known yet whether a Message Batch is ours; the message says why."""


def _candidates(submission: Submission, ledger: Ledger, api: BatchReader) -> tuple[list[MessageBatch], dict[str, str]]:
    """Return our Message Batches, and the undecided ones: id and reason."""
    ours: list[MessageBatch] = []
    undecided: dict[str, str] = {}
    for batch in api.created_since(submission.sent_at - CLOCK_SKEW):
        if batch.request_counts.total != submission.requests or ledger.is_claimed(batch.id):
            continue
        try:
            if _is_ours(batch, submission, api):
                ours.append(batch)
        except _Undecided as reason:
            undecided[batch.id] = str(reason)
    return ours, undecided


def _is_ours(batch: MessageBatch, submission: Submission, api: BatchReader) -> bool:
    """Search the results for one of our custom_ids. Raises _Undecided.

    One line with our custom_id proves that it is ours. The opposite needs all results, as many as the Message Batch
    counts, because our results may also contain lines without a request of ours.
    """
    if batch.processing_status != "ended":
        raise _Undecided(f"{batch.processing_status}, created {batch.created_at}")
    ours = custom_id.prefix(submission.job_id, submission.shard)
    ids = msgspec.json.Decoder(ResultId)
    lines = 0
    try:
        with closing(api.results(batch)) as blocks:
            for lines, line in enumerate(filter(bytes.strip, whole_lines(blocks)), start=1):  # noqa: B007 - the last counts
                if ids.decode(line).custom_id.startswith(ours):
                    return True
    except UNREADABLE as trouble:
        raise _Undecided(_shortened(trouble)) from trouble
    if lines < batch.request_counts.total:
        raise _Undecided(f"{lines} of {batch.request_counts.total} results read, none of them ours")
    return False


def _shortened(trouble: Exception) -> str:
    return f"{type(trouble).__name__}: {trouble}"[:MOST_SAID]


def _listed(undecided: dict[str, str]) -> str:
    named = [f"{batch_id} ({why})" for batch_id, why in [*undecided.items()][:MOST_NAMED]]
    more = [f"{len(undecided) - MOST_NAMED} more"] if len(undecided) > MOST_NAMED else []
    return "; ".join(named + more)


def _unsettled(submission: Submission, why: str) -> str:
    ours = custom_id.prefix(submission.job_id, submission.shard)
    return (
        f"shard {submission.shard}, round {submission.round_number}: the outcome of the create of "
        f"{submission.sent_at:%Y-%m-%d %H:%M:%S} UTC is still unknown: {why}. Nothing was sent again, because the "
        f"Message Batch may exist and be billed. Check the Message Batches in the Console (ours has custom_ids that "
        f"begin with {ours}), then run `batchdrop resume {submission.job_id}`: it searches again"
    )
