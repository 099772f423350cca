"""What the use cases need from the world, as Protocols. Adapters and the tests' fakes both fit them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from batchdrop.domain.manifest import UploadRecord
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.result import MessageBatch
from batchdrop.domain.row import Cursor, Row
from batchdrop.domain.submission import Halt, ShardFailure, Submission


class ObjectMissing(Exception):  # an answer of the store, not a fault of the program
    """There is no object at that key."""


class ObjectChanged(Exception):  # likewise
    """The object at that key is no longer the one that was asked for, or looked at (its ETag differs)."""


class Writer(Protocol):
    """Receives an object's bytes in order; the object appears whole when its context ends without an error."""

    def write(self, data: bytes, /) -> None:
        """Append bytes."""


Guard = Callable[[], object]  # raises if a write must not come


class ObjectStore(Protocol):
    """One bucket. Writes replace; every read sees the last completed write.

    A write with a `guard` calls it before the object appears, and what the guard saw still holds then: if anybody has
    written the object since, it does not appear, and ObjectChanged is raised.
    """

    def read(self, key: str) -> bytes:
        """Return a whole small object. Raises ObjectMissing."""

    def size(self, key: str) -> int:
        """Return an object's bytes. Raises ObjectMissing."""

    def stream(self, key: str, *, start: int = 0, etag: str | None = None) -> Generator[bytes, None, None]:
        """Yield an object's bytes from offset `start`, in blocks of about 1 MiB.

        Survives dropped connections. Raises ObjectMissing, or ObjectChanged if `etag` is not the object's own.
        """

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a small object. Raises ObjectChanged, and what the guard raises."""

    def writer(self, key: str, *, guard: Guard | None = None) -> AbstractContextManager[Writer]:
        """Write a large object piece by piece in flat memory; nothing appears if the context ends by an error."""

    def exists(self, key: str) -> bool:
        """Tell whether there is an object at that key."""


class RequestBody(Protocol):
    """A create body that can be read again from its start, in flat memory."""

    @property
    def size(self) -> int:
        """Return the body's bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Start from the first byte, each time."""


class BatchApi(Protocol):
    """The Message Batches API."""

    def create(self, body: RequestBody, *, timeout: float) -> MessageBatch:
        """Send one create, exactly once; wait at most `timeout` seconds between two signs of life.

        Raises SubmissionRefused, AccountTrouble, RateLimited or ApiUnavailable when nothing was created,
        SubmissionUncertain when that cannot be known.
        """

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost on 404, ApiUnavailable, RateLimited, AccountTrouble."""

    def created_since(self, since: datetime) -> Iterator[MessageBatch]:
        """Yield the Message Batches created at or after `since`, newest first, whoever created them.

        Raises ApiUnavailable, RateLimited, AccountTrouble.
        """

    def cancel(self, batch_id: str) -> None:
        """Ask for a Message Batch to be canceled; one that ended stays as it is. Raises as `retrieve`."""

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the result lines' bytes as they come. Raises ResultsForeign, ResultsIncomplete, ApiUnavailable."""


class Ledger(Protocol):
    """Facts that need conditional writes, and that outlive any one function."""

    def begin(self, intent: Submission) -> Submission:
        """Take the right to send: write the intent if there is none, or if the one there is `armed`.

        Returns the submission as it stands now; only if its `attempt` is the intent's own may its caller send.
        """

    def end_attempt(self, submission: Submission, at: datetime) -> None:
        """Note that a sent attempt is over without an answer, so that settling need not wait for its deadline."""

    def accept(self, submission: Submission, batch_id: str) -> Submission:
        """Write that an attempt became this Message Batch, and claim it. Returns the submission as it stands now.

        Changes nothing if the attempt is no longer the current one, or the Message Batch is claimed by another.
        """

    def rearm(self, submission: Submission) -> None:
        """Allow another attempt, for this one created nothing. Changes nothing if it is no longer the current one."""

    def submission(self, job_id: str, shard: int, asked_round: int) -> Submission | None:
        """Return one submission."""

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""

    def collected(self, job_id: str, shard: int, asked_round: int, at: datetime) -> None:
        """Note that a submission's answers are in the bucket. Changes nothing for one that is not known."""

    def uncollected(self, sent_before: datetime) -> Iterator[Submission]:
        """Yield the accepted submissions of all jobs, sent before a time, whose answers are not in the bucket."""

    def is_claimed(self, batch_id: str) -> bool:
        """Tell whether a Message Batch is some submission's already."""

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""

    def halt(self, job_id: str, halt: Halt) -> None:
        """Write that the job must ask nothing more. The first reason stays, but JobCanceled replaces any other."""

    def halted(self, job_id: str) -> Halt | None:
        """Return why the job must ask nothing more; None if it may go on."""

    def lift(self, job_id: str) -> None:
        """Forget the job's halt and its shards' failures, so that it can be resumed."""


class JobStarter(Protocol):
    """Starts a job's execution."""

    def start(self, upload: UploadRecord) -> bool:
        """Start the job; return False when it was started before."""


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def remaining(self) -> float:
        """Return the seconds this invocation may still take."""


class FileFormat(Protocol):
    """One input format: how its rows are read, and how outcomes are joined to them."""

    extension: str

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns; None for a format whose rows name their own."""

    @property
    def header(self) -> str:
        """Return the header as it stands in the file, to be kept in the manifest. Empty if there is none."""

    def rows(self, blocks: Iterable[bytes], start: Cursor) -> Iterator[Row]:
        """Read rows from the bytes that follow `start`. Raises UploadRejected where the file itself is broken."""

    def output_header(self) -> bytes:
        """Return the output's first bytes."""

    def output_row(self, raw: str, outcome: Outcome) -> bytes:
        """Return one row of output: the input row, unchanged, then answer, _status and _error."""

    def failed_line(self, raw: str, outcome: Outcome) -> bytes:
        """Return one line of `failed.jsonl`: the row's own fields, then _status and _error."""
