"""Submit a shard: at most one paid create a round.

The intent is written before the create is sent. So every later attempt finds it and does not create again. If an
attempt was cut off, `settle_submission` finds out its outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from batchdrop.admission.admission import Admission, MustWait, PlanAgain
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.marked_body import marked_if_warm
from batchdrop.batch_lane.ports import BatchCreator, RequestBody
from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    DeadlinePassed,
    RateLimited,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.job.betas import betas_of
from batchdrop.job.halting import halting_on_account_trouble, refuse_if_halted
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import Submission
from batchdrop.ports import Clock, ObjectStore

NOTHING_WAS_CREATED = (SubmissionRefused, AccountTrouble, RateLimited, ApiUnavailable)
REFUSED_FOR_GOOD = (SubmissionRefused, AccountTrouble)  # other refusals are retried soon; the round keeps its turn
AT_ONCE = 1  # second
TIME_TO_RECORD = 15.0  # seconds of the invocation that are kept to record the response in the ledger


@dataclass(frozen=True, slots=True)
class Submitted:
    """A Message Batch of ours. `is_collected`: its answers are already in the bucket, so it is not polled."""

    batch_id: str
    is_collected: bool = False


def submit_shard(
    state: ShardState,
    *,
    store: ObjectStore,
    ledger: Ledger,
    api: BatchCreator,
    clock: Clock,
    admission: Admission,
) -> Submitted | MustWait | PlanAgain:
    """Return the shard's Message Batch of this round. Create it if no attempt has, and if it is the shard's turn.

    Returns PlanAgain if the round before must be collected again, which plans this one.

    Raises SubmissionUncertain if an attempt may have created one whose id is unknown. Raises AccountTrouble,
    JobCanceled or BudgetReached if the job is halted, and BudgetReached also if this round halts it. Raises
    DeadlinePassed if the state's deadline is over and nothing was sent. Also raises the errors of BatchCreator.create.
    """
    job_id, shard, round_number, deadline = state.job_id, state.shard, state.round, state.deadline
    keys = JobKeys(job_id)
    known = ledger.submission(job_id, shard, round_number)
    if store.exists(keys.answers(shard, round_number)):  # also if the ledger's items have expired
        return Submitted(known.batch_id or "" if known else "", is_collected=True)
    if known is None or known.state == "armed":
        refuse_if_halted(job_id, ledger)
        if not _is_late(deadline, clock) and (turn := admission.request_turn()):
            return turn
    if admission.is_unplanned():  # it is late: the live lane plans it
        raise _late(shard, round_number)
    # Both raise before the intent is written, if they raise.
    body: RequestBody = StoredBody(store, keys.requests(shard, round_number))
    betas = betas_of(store, job_id)
    if admission.may_mark:
        body = marked_if_warm(body, state, store, WarmPrefix(job_id, admission.states, clock))
    now = clock.now()
    over_at = now + timedelta(seconds=clock.remaining())
    intent = Submission(
        job_id,
        shard,
        round_number,
        state.requests,
        uuid4().hex,
        sent_at=now,
        over_at=over_at,
        workspace=api.workspace,
        key_print=api.key_print,
    )
    current = ledger.begin(intent)
    if current.attempt == intent.attempt:
        _refuse_if_late(deadline, intent, ledger, clock, admission)
        if not admission.stands():  # another attempt was refused meanwhile and has released the hold
            ledger.rearm(intent)
            return MustWait("budget", AT_ONCE)
        with halting_on_account_trouble(job_id, ledger, clock):
            return Submitted(_create(body, betas, intent, ledger, api, clock, admission))
    if current.batch_id is None:
        message = (
            f"shard {shard}, round {round_number}: the response to the create of "
            f"{current.sent_at:%Y-%m-%d %H:%M:%S} UTC was lost; nothing is sent until its outcome is known"
        )
        raise SubmissionUncertain(message)
    return Submitted(current.batch_id)


def _is_late(deadline: int, clock: Clock) -> bool:
    return bool(deadline) and clock.now().timestamp() >= deadline


def _refuse_if_late(deadline: int, intent: Submission, ledger: Ledger, clock: Clock, admission: Admission) -> None:
    """Leave a late shard to the live lane. The intent stays, so that a superseded attempt cannot send the round."""
    if _is_late(deadline, clock):
        admission.leave_queue()
        ledger.end_attempt(intent, clock.now())
        raise _late(intent.shard, intent.round_number)


def _late(shard: int, round_number: int) -> DeadlinePassed:
    return DeadlinePassed(f"shard {shard}, round {round_number}: finish_within is over; the live lane sends it")


def _create(
    body: RequestBody,
    betas: tuple[str, ...],
    intent: Submission,
    ledger: Ledger,
    api: BatchCreator,
    clock: Clock,
    admission: Admission,
) -> str:
    try:
        batch = api.create(body, timeout=max(clock.remaining() - TIME_TO_RECORD, 1.0), betas=betas)
    except NOTHING_WAS_CREATED as refusal:
        if isinstance(refusal, REFUSED_FOR_GOOD):
            admission.give_back()  # before `rearm`: later, this could release the hold of a newer attempt
        ledger.rearm(intent)
        raise
    except SubmissionUncertain:
        ledger.end_attempt(intent, clock.now())
        raise
    if batch.request_counts.total not in {0, intent.requests}:  # 0: the counts are unknown
        raise _misled(batch, f"counts {batch.request_counts.total} requests", intent, ledger, clock)
    current = ledger.accept(intent, batch.id)
    if current.batch_id == batch.id:
        return batch.id
    if not ledger.is_claimed(batch.id):
        # This attempt was superseded by a newer one, so its own Message Batch is a duplicate.
        api.cancel(batch.id)
    elif current.attempt == intent.attempt:
        raise _misled(batch, "belongs to another submission", intent, ledger, clock)
    if current.batch_id is None:
        message = f"shard {intent.shard}, round {intent.round_number}: a newer attempt is in progress"
        raise SubmissionUncertain(message)
    return current.batch_id


def _misled(batch: MessageBatch, why: str, intent: Submission, ledger: Ledger, clock: Clock) -> SubmissionUncertain:
    """Note that the API answered with a Message Batch of others, which is not touched. Return the error to raise."""
    ledger.end_attempt(intent, clock.now(), misled=True)
    message = (
        f"shard {intent.shard}, round {intent.round_number}: the create of {intent.requests} requests was answered "
        f"with {batch.id}, which {why}; nothing is sent until its outcome is known"
    )
    return SubmissionUncertain(message)


class StoredBody:
    """The body of a create, streamed from the store each time it is sent."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self.size = store.size(key)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body; each iteration starts at the first byte."""
        return self._store.stream(self._key)
