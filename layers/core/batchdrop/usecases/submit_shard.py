"""Submit a shard: one paid create, never two.

The intent is written before the create, so that any later attempt, whoever makes it and why, finds it and does not
create again.
"""

from __future__ import annotations

from collections.abc import Iterator

from batchdrop.domain.layout import JobKeys
from batchdrop.errors import AccountTrouble, ApiUnavailable, RateLimited, SubmissionRefused, SubmissionUncertain
from batchdrop.ports import BatchApi, Clock, Ledger, ObjectStore, RequestBody, Submission

NOTHING_WAS_CREATED = (SubmissionRefused, AccountTrouble, RateLimited, ApiUnavailable)
TIME_TO_RECORD = 15.0  # seconds of the invocation kept for writing down what the create answered


def submit_shard(
    job_id: str,
    shard: int,
    asked_round: int,
    requests: int,
    *,
    store: ObjectStore,
    ledger: Ledger,
    api: BatchApi,
    clock: Clock,
) -> str:
    """Return the id of the shard's Message Batch, creating it if no attempt has.

    Raises SubmissionUncertain when an attempt may have created one and nobody knows its id; what BatchApi.create
    raises when nothing was created, so that the attempt may be repeated.
    """
    body = StoredBody(store, JobKeys(job_id).requests(shard))  # before the intent: a store out of reach leaves no trace
    intent = Submission(job_id, shard, asked_round, requests, clock.now())
    present = ledger.intend(intent)
    if present is None:
        return _create(body, intent, ledger, api, clock)
    if present.batch_id is None:
        message = (
            f"shard {shard}, round {asked_round}: an attempt at {present.intended_at:%Y-%m-%d %H:%M:%S} UTC was cut "
            "off before its answer was known; it may have created a Message Batch, so no other is created"
        )
        raise SubmissionUncertain(message)
    return present.batch_id


def _create(body: RequestBody, intent: Submission, ledger: Ledger, api: BatchApi, clock: Clock) -> str:
    try:
        batch = api.create(body, timeout=max(clock.remaining() - TIME_TO_RECORD, 1.0))
    except NOTHING_WAS_CREATED:
        ledger.clear(intent)
        raise
    ledger.record(intent, batch.id)
    return batch.id


class StoredBody:
    """A create body that stays in the store and is read anew each time it is sent."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self.size = store.size(key)

    def __iter__(self) -> Iterator[bytes]:
        """Start from the first byte, each time."""
        return self._store.stream(self._key)
