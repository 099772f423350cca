"""The ledger in a SQLite file; its items are those of dynamodb.py.

One kind of fact is elsewhere: the state machine itself writes `failure#<shard>` to the DynamoDB table. `failures` reads
these. The table of an embedded stack is lost with it, and that is harmless: a resume deletes the failures first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from batchdrop.adapters.sqlite.fact_file import FactFile, Facts
from batchdrop.adapters.sqlite.live import LEASE
from batchdrop.errors import JobCanceled
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.live_lane.slice import names_of_round

SUBMISSION = "submission#"
HALT = "halt"
CLAIM = "claim"
WITNESS = "witness"
CANCELED = JobCanceled.__name__


class ShardFailures(Protocol):
    """What the state machine writes itself."""

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""

    def lift(self, job_id: str) -> None:
        """Delete them."""


class NoShardFailures:
    """No failures: for a reader of the file of a stack that does not run."""

    def shard_failures(self, job_id: str) -> list[ShardFailure]:  # noqa: ARG002 - the port's signature
        """Return nothing."""
        return []

    def lift(self, job_id: str) -> None:
        """Do nothing."""


class SqliteLedger:
    """Ledger in a SQLite file."""

    def __init__(self, file: FactFile, failures: ShardFailures) -> None:
        self._file = file
        self._failures = failures

    def begin(self, intent: Submission) -> Submission:
        """Write the intent if there is none, or an armed one. Return the submission that the ledger then holds."""
        with self._file.writing() as facts:
            standing = _standing(facts, intent)
            if standing is not None and standing.state != "armed":
                return standing
            _put(facts, intent)
            return intent

    def end_attempt(self, submission: Submission, at: datetime, *, misled: bool = False) -> None:
        """Move `over_at` of a sent attempt to `at`."""
        self._change_if_current(submission, over_at=at, misled=misled)

    def accept(self, submission: Submission, batch_id: str) -> Submission:
        """Write the Message Batch's id and its claim in one transaction. Return what the ledger then holds."""
        with self._file.writing() as facts:
            standing = _standing(facts, submission)
            if standing is None:
                message = f"the ledger lost the submission of {_where(submission)}"
                raise LookupError(message)
            if _is_current(standing, submission) and facts.get(_batch_key(batch_id), CLAIM) is None:
                standing = _changed(standing, state="accepted", batch_id=batch_id)
                _put(facts, standing)
                facts.put(_batch_key(batch_id), CLAIM, {"by": _where(submission)})
            if standing.batch_id == batch_id and submission.key_print:
                facts.put(_key_key(submission.key_print), WITNESS, {"batch_id": batch_id})
            return standing

    def disown(self, submission: Submission, batch_id: str) -> None:
        """Take an accepted Message Batch back, and delete its claim, in one transaction."""
        with self._file.writing() as facts:
            standing = _standing(facts, submission)
            if standing is None or standing.attempt != submission.attempt or standing.state != "accepted":
                return
            if standing.batch_id == batch_id:
                ruled_out = (batch_id, *submission.ruled_out)
                _put(facts, _changed(standing, state="sent", misled=True, batch_id=None, ruled_out=ruled_out))
                facts.delete(_batch_key(batch_id), CLAIM)

    def rearm(self, submission: Submission) -> None:
        """Make a sent attempt armed."""
        self._change_if_current(submission, state="armed")

    def witness(self, key_print: str) -> str | None:
        """Return the last Message Batch of a key."""
        with self._file.reading() as facts:
            item = facts.get(_key_key(key_print), WITNESS)
        return None if item is None else str(item["batch_id"])

    def rule_out(self, submission: Submission, batch_ids: Sequence[str]) -> None:
        """Write the ids of others' Message Batches."""
        self._change_if_current(submission, ruled_out=tuple(batch_ids))

    def submission(self, job_id: str, shard: int, round_number: int) -> Submission | None:
        """Return one submission."""
        with self._file.reading() as facts:
            item = facts.get(job_id, _fact(shard, round_number))
        return None if item is None else _submission(item)

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""
        with self._file.reading() as facts:
            return [_submission(item) for _, item in facts.beginning(job_id, SUBMISSION)]

    def tries_left(self, job_id: str, shard: int, round_number: int) -> list[str]:
        """Return the tries that a round's leases have."""
        with self._file.reading() as facts:
            leases = facts.beginning(job_id, LEASE + names_of_round(shard, round_number))
        return [lease["tries"] for _, lease in leases if lease.get("tries")]

    def submissions_of_all_jobs(self) -> list[Submission]:
        """Return every submission in the file, by job, shard and round."""
        with self._file.reading() as facts:
            return [_submission(item) for _, item in facts.of_all_jobs(SUBMISSION)]

    def collected(self, job_id: str, shard: int, round_number: int, at: datetime) -> None:
        """Record when a submission's answers first reached the bucket."""
        with self._file.writing() as facts:
            item = facts.get(job_id, _fact(shard, round_number))
            if item is not None and item["collected_at"] is None:
                _put(facts, _changed(_submission(item), collected_at=at))

    def uncollected(self, sent_before: datetime) -> Iterator[Submission]:
        """Yield accepted submissions without answers."""
        for one in self.submissions_of_all_jobs():
            if one.state == "accepted" and one.collected_at is None and one.sent_at < sent_before:
                yield one

    def is_claimed(self, batch_id: str) -> bool:
        """Tell whether a submission owns a Message Batch already."""
        with self._file.reading() as facts:
            return facts.get(_batch_key(batch_id), CLAIM) is not None

    def claimant(self, batch_id: str) -> Submission | None:
        """Return the submission that owns a Message Batch."""
        with self._file.reading() as facts:
            item = facts.get(_batch_key(batch_id), CLAIM)
        if item is None:
            return None
        job_id, _, shard, _, round_number = item["by"].split()  # as `_where` writes it
        return self.submission(job_id, int(shard), int(round_number))

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""
        return self._failures.shard_failures(job_id)

    def halt(self, job_id: str, halt: Halt) -> None:
        """Write why the job sends no more, unless a reason is there. The user's cancel replaces any other reason."""
        with self._file.writing() as facts:
            known = facts.get(job_id, HALT)
            if known is None or (halt.error == CANCELED and known["error"] != CANCELED):
                facts.put(job_id, HALT, msgspec.to_builtins(halt))

    def halted(self, job_id: str) -> Halt | None:
        """Return why the job sends no more requests."""
        with self._file.reading() as facts:
            item = facts.get(job_id, HALT)
        return None if item is None else msgspec.convert(item, Halt)

    def lift(self, job_id: str) -> None:
        """Delete the job's halt and its shards' failures."""
        with self._file.writing() as facts:
            facts.delete(job_id, HALT)
        self._failures.lift(job_id)

    def _change_if_current(self, submission: Submission, **change: Any) -> None:
        with self._file.writing() as facts:
            standing = _standing(facts, submission)
            if standing is not None and _is_current(standing, submission):
                _put(facts, _changed(standing, **change))


def _standing(facts: Facts, submission: Submission) -> Submission | None:
    item = facts.get(submission.job_id, _fact(submission.shard, submission.round_number))
    return None if item is None else _submission(item)


def _is_current(standing: Submission, submission: Submission) -> bool:
    return standing.attempt == submission.attempt and standing.state == "sent"


def _put(facts: Facts, submission: Submission) -> None:
    facts.put(submission.job_id, _fact(submission.shard, submission.round_number), msgspec.to_builtins(submission))


def _submission(item: dict[str, Any]) -> Submission:
    return msgspec.convert(item, Submission)


def _changed(submission: Submission, **change: Any) -> Submission:
    return dataclasses.replace(submission, **change)


def _fact(shard: int, round_number: int) -> str:
    return f"{SUBMISSION}{shard:05d}#r{round_number}"


def _batch_key(batch_id: str) -> str:
    return f"batch#{batch_id}"


def _key_key(key_print: str) -> str:
    return f"key#{key_print}"


def _where(submission: Submission) -> str:
    return f"{submission.job_id} shard {submission.shard} round {submission.round_number}"
