"""Settle a submission whose response was lost: find its Message Batch, or make sure that none was created.

The API lists the Message Batches of all clients, without names. Ours was created during the attempt (`list_pass`), is
not claimed by another submission, and has our custom_ids in its results (`ownership`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from batchdrop.answers import custom_id
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.list_pass import read_list
from batchdrop.batch_lane.ownership import Undecided, is_ours
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.batch_lane.same_provider import refuse_another_provider
from batchdrop.batch_lane.same_workspace import why_another_workspace
from batchdrop.errors import SubmissionUnsettled
from batchdrop.job.halting import halting_on_account_trouble
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Submission
from batchdrop.ports import Clock

MOST_NAMED = 5  # undecided Message Batches in a reason, because each row of the shard repeats the reason
MOST_RULED_OUT = 5_000  # others' Message Batches that the ledger remembers; its items hold at most 400 KB


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
    with halting_on_account_trouble(submission.job_id, ledger, clock):
        refuse_another_provider(submission, api)
        seen = read_list(submission, api, clock)
        ours, undecided = _sorted(seen.candidates, submission, ledger, api)
    if ours:
        return _adopt(submission, ours, ledger)
    if undecided or seen.proves_nothing:
        return Settled("open", why="; ".join(filter(None, [_listed(undecided), seen.proves_nothing])))
    if started_at < submission.over_at + visible_after:
        return Settled("open", why="the list of Message Batches may not show it yet")
    with halting_on_account_trouble(submission.job_id, ledger, clock):
        why = why_another_workspace(submission, ledger, api)
    if why:
        return Settled("open", why=why)
    ledger.rearm(submission)
    return Settled("absent")


def _adopt(submission: Submission, ours: list[MessageBatch], ledger: Ledger) -> Settled:
    """Accept the one with the most answers. All of them have ended, so the others need no cancel."""
    best = max(ours, key=lambda batch: batch.request_counts.succeeded)
    claimant = ledger.claimant(best.id) if submission.misled else None
    if claimant is not None and not _is_same_shard(claimant, submission):
        ledger.disown(claimant, best.id)  # the API answered its create with ours
    accepted = ledger.accept(submission, best.id).batch_id
    if accepted is None:
        return Settled("open", why=f"{best.id} (ours, but a newer attempt has replaced this one)")
    return Settled("accepted", accepted)


def _sorted(
    batches: list[MessageBatch], submission: Submission, ledger: Ledger, api: BatchReader
) -> tuple[list[MessageBatch], dict[str, str]]:
    """Return our Message Batches, and the undecided ones: id and reason.

    The ledger remembers the ones that were ruled out, so their results are read once.
    """
    ours: list[MessageBatch] = []
    undecided: dict[str, str] = {}
    ruled_out = [*submission.ruled_out]
    for batch in batches:
        if batch.id in submission.ruled_out or _is_anothers(batch, submission, ledger):
            continue
        try:
            if is_ours(batch, submission, api):
                ours.append(batch)
            else:
                ruled_out.append(batch.id)
        except Undecided as reason:
            undecided[batch.id] = str(reason)
    if len(ruled_out) > len(submission.ruled_out):
        ledger.rule_out(submission, ruled_out[:MOST_RULED_OUT])
    return ours, undecided


def _is_anothers(batch: MessageBatch, submission: Submission, ledger: Ledger) -> bool:
    """Return whether a claim proves that a Message Batch is another submission's.

    The API may have given ours to another submission if it answered our create with another id. Then a claim proves
    it only once its results are collected, because those were its own.
    """
    claimant = ledger.claimant(batch.id) if submission.misled else None
    if claimant is None:
        return ledger.is_claimed(batch.id)
    return claimant.collected_at is not None or _is_same_shard(claimant, submission)  # the latter: an earlier round


def _is_same_shard(claimant: Submission, submission: Submission) -> bool:
    return (claimant.job_id, claimant.shard) == (submission.job_id, submission.shard)


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
