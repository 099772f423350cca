"""Submit a shard: one paid create a round, never two.

The intent is written before the create, so that any later attempt, whoever makes it and why, finds it and does not
create again. What became of an attempt that was cut off is found out by `settle_submission`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from batchdrop.admission.admission import Admission, MustWait
from batchdrop.batch_lane.ports import BatchCreator, RequestBody
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    DeadlinePassed,
    RateLimited,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.job.halting import halting_on_account_trouble, refuse_if_halted
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import Submission
from batchdrop.ports import Clock, ObjectStore

NOTHING_WAS_CREATED = (SubmissionRefused, AccountTrouble, RateLimited, ApiUnavailable)
REFUSED_FOR_GOOD = (SubmissionRefused, AccountTrouble)  # the others are tried again soon, and keep their turn
AT_ONCE = 1  # second
TIME_TO_RECORD = 15.0  # seconds of the invocation kept for writing down what the create answered


@dataclass(frozen=True, slots=True)
class Submitted:
    """A Message Batch of ours. `is_collected`: its answers are kept already, so that it need not be polled."""

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
) -> Submitted | MustWait:
    """Return the shard's Message Batch of this round; create it if no attempt has, and if it is the shard's turn.

    Raises SubmissionUncertain when an attempt may have created one and nobody knows its id; AccountTrouble, JobCanceled
    or BudgetReached when the job is halted, BudgetReached also where this round halts it; DeadlinePassed when
    the state's deadline is over and nothing was sent; and what BatchCreator.create raises when nothing was created.
    """
    job_id, shard, round_number, deadline = state.job_id, state.shard, state.round, state.deadline
    keys = JobKeys(job_id)
    known = ledger.submission(job_id, shard, round_number)
    if store.exists(keys.answers(shard, round_number)):  # also when the ledger has forgotten the job since
        return Submitted(known.batch_id or "" if known else "", is_collected=True)
    body = StoredBody(store, keys.requests(shard, round_number))  # before the intent: no store, no trace
    if known is None or known.state == "armed":
        refuse_if_halted(job_id, ledger)
        if not _is_late(deadline, clock) and (turn := admission.request_turn()):
            return turn
    now = clock.now()
    over_at = now + timedelta(seconds=clock.remaining())
    intent = Submission(job_id, shard, round_number, state.requests, uuid4().hex, sent_at=now, over_at=over_at)
    standing = ledger.begin(intent)
    if standing.attempt == intent.attempt:
        _refuse_if_late(deadline, intent, ledger, clock, admission)
        if not admission.stands():  # another attempt was refused since, and has let go of what it held
            ledger.rearm(intent)
            return MustWait("budget", AT_ONCE)
        with halting_on_account_trouble(job_id, ledger, clock):
            return Submitted(_create(body, intent, ledger, api, clock, admission))
    if standing.batch_id is None:
        message = (
            f"shard {shard}, round {round_number}: the answer to the create of "
            f"{standing.sent_at:%Y-%m-%d %H:%M:%S} UTC was lost; nothing is sent before its outcome is known"
        )
        raise SubmissionUncertain(message)
    return Submitted(standing.batch_id)


def _is_late(deadline: int, clock: Clock) -> bool:
    return bool(deadline) and clock.now().timestamp() >= deadline


def _refuse_if_late(deadline: int, intent: Submission, ledger: Ledger, clock: Clock, admission: Admission) -> None:
    """Leave the shard to the live lane. The intent stays, so that an attempt that was given up for dead cannot send."""
    if _is_late(deadline, clock):
        admission.leave_queue()
        ledger.end_attempt(intent, clock.now())
        message = f"shard {intent.shard}, round {intent.round_number}: finish_within is over; the live lane answers it"
        raise DeadlinePassed(message)


def _create(
    body: RequestBody, intent: Submission, ledger: Ledger, api: BatchCreator, clock: Clock, admission: Admission
) -> str:
    try:
        batch = api.create(body, timeout=max(clock.remaining() - TIME_TO_RECORD, 1.0))
    except NOTHING_WAS_CREATED as refusal:
        if isinstance(refusal, REFUSED_FOR_GOOD):
            admission.give_back()  # before another attempt may send, which would find nothing held, and wait
        ledger.rearm(intent)
        raise
    except SubmissionUncertain:
        ledger.end_attempt(intent, clock.now())
        raise
    standing = ledger.accept(intent, batch.id)
    if standing.batch_id != batch.id:
        # This attempt was given up for dead, and another one took its place: what it created is one too many.
        api.cancel(batch.id)
    if standing.batch_id is None:
        message = f"shard {intent.shard}, round {intent.round_number}: a newer attempt is under way"
        raise SubmissionUncertain(message)
    return standing.batch_id


class StoredBody:
    """A create body that stays in the store and is read anew each time it is sent."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self.size = store.size(key)

    def __iter__(self) -> Iterator[bytes]:
        """Start from the first byte, each time."""
        return self._store.stream(self._key)
