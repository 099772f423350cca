"""What the use cases need from the world, as Protocols. Adapters and the tests' fakes both fit them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Literal, Protocol, TypeVar

from batchdrop.answers.columns import Column, NewColumns
from batchdrop.answers.outcome import Outcome
from batchdrop.answers.result import MessageBatch
from batchdrop.job.job_event import JobEvent
from batchdrop.job.job_progress import JobProgress, ShardProgress
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.job.upload import InboxKey
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned
from batchdrop.live_lane.reply import Reply
from batchdrop.recipe.recipe import Input, Output
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary
from batchdrop.requests.row import Cursor, Row, StoredRow

Result = TypeVar("Result")


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

    def read_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> bytes:
        """Return the bytes from `start` up to, not with, `end`, both within the object.

        Raises ObjectMissing, or ObjectChanged if `etag` is not the object's own.
        """

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a small object. Raises ObjectChanged, and what the guard raises."""

    def writer(self, key: str, *, guard: Guard | None = None) -> AbstractContextManager[Writer]:
        """Write a large object piece by piece in flat memory; nothing appears if the context ends by an error."""

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Write an object that is its strips behind each other: bytes, and other objects whole, by their keys.

        Large objects are copied within the bucket. The keys should begin alike, for what begins so is listed. Raises
        ObjectMissing for one that is not there, ObjectChanged for one that is replaced meanwhile, and what `write`
        raises; nothing appears then.
        """

    def exists(self, key: str) -> bool:
        """Tell whether there is an object at that key."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""


class RequestBody(Protocol):
    """A create body that can be read again from its start, in flat memory."""

    @property
    def size(self) -> int:
        """Return the body's bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Start from the first byte, each time."""


class MessageBatches(Protocol):
    """The Message Batches that there are. No call costs anything."""

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


class BatchApi(MessageBatches, Protocol):
    """The whole Message Batches API."""

    def create(self, body: RequestBody, *, timeout: float) -> MessageBatch:
        """Send one create, exactly once; wait at most `timeout` seconds between two signs of life.

        Raises SubmissionRefused, AccountTrouble, RateLimited or ApiUnavailable when nothing was created,
        SubmissionUncertain when that cannot be known.
        """


class MessageApi(Protocol):
    """The Messages API: one request at a time, many of them open at once."""

    async def ask(self, params: bytes, *, within: float) -> Reply:
        """Send one request, `params` to the byte, exactly once; wait at most `within` seconds for its whole answer.

        Raises AccountTrouble; every other outcome is a Reply.
        """


class TokenCounter(Protocol):
    """The API's own count of a prompt's tokens: free, and an estimate itself."""

    def count(self, params: bytes) -> int:
        """Return the input tokens of a request, given by its `params`. May be called from several threads.

        Raises AccountTrouble, RateLimited, ApiUnavailable, or CountRefused for a request that cannot be counted.
        """


class Leases(Protocol):
    """Who may ask a slice: one worker at a time, in the ledger."""

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free: never taken, let go, or past its `until`.

        Returns the lease as it stands now; only if its `attempt` is the caller's own may it ask.
        """

    def renew(self, lease: Lease, until: datetime, *, done: int) -> bool:
        """Move a lease on; False if another attempt has it now. `done` requests of the slice have their result line."""

    def release(self, lease: Lease, now: datetime, *, done: int) -> None:
        """Let go of a lease, so that the next attempt need not wait. Changes nothing if another one has it."""


class Permits(Protocol):
    """The live lane's rate, shared by all workers of all jobs: one PermitState a model, changed by comparing."""

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write `state`, one version on, if the model's is still the one that was seen (`UNSEEN`: none is there yet).

        Returns None when it is written; else what another worker has written meanwhile.
        """


Changed = tuple[bytes | None, Result]  # the text to write, None for none; and what the change came to


class SharedStates(Protocol):
    """Small JSON texts of the ledger that many functions change, each by what stands there."""

    def read(self, owner: str, fact: str) -> bytes | None:
        """Return the text as it stands; None if there is none."""

    def change(
        self, owner: str, fact: str, change: Callable[[bytes | None], Changed[Result]], *, at: datetime
    ) -> Result:
        """Write what `change` makes of the text that stands there, and return what it came to.

        It is called again when others have written meanwhile, or the answer to a write was lost, so doing it twice must
        be as doing it once. Raises LedgerContended when others come between each time.
        """


class TaskTokens(Protocol):
    """The other end of a task that waits for its token."""

    def succeed(self, token: str, output: bytes) -> None:
        """End the task well; `output` is JSON. Raises TaskGone."""

    def fail(self, token: str, error: str, cause: str) -> None:
        """End the task by an error of that name. Raises TaskGone."""

    def heartbeat(self, token: str) -> None:
        """Tell that the task is alive. Raises TaskGone."""


class TaskGone(Exception):  # an answer of Step Functions, not a fault of the program
    """The task has timed out, was ended before, or its execution is over."""


class Queue(Protocol):
    """The live lane's queue."""

    def send(self, body: str) -> None:
        """Put a message into the queue."""


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
        """Note when a submission's answers first came into the bucket. Changes nothing for one that is not known."""

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


class Approvals(Protocol):
    """Whether a job's rest may be asked after its sample, and which tasks wait to hear of it.

    The approval is the fact; a token is only the bell that wakes a task, which then looks for the fact.
    """

    def approve(self, job_id: str, at: datetime) -> datetime:
        """Write that the rest may be asked; return when that was said first."""

    def approved(self, job_id: str) -> datetime | None:
        """Return when the rest was approved; None if it was not."""

    def keep_token(self, job_id: str, token: str, at: datetime) -> None:
        """Remember that a task waits with this token, beside all others of the job."""

    def tokens(self, job_id: str) -> list[str]:
        """Return the tokens of all tasks of the job that ever waited; the tasks of most may be gone."""


class ProgressBoard(Protocol):
    """How far a running job has come, for people to see; nothing is decided by it."""

    def note(self, job_id: str, progress: ShardProgress) -> None:
        """Write how far a shard has come, unless something later is known of it."""

    def noted(self, job_id: str) -> list[ShardProgress]:
        """Return what was noted, by shard; of a live round, less what the leases of its slices say is done since."""

    def take_turn(self, job_id: str, now: datetime, every: timedelta) -> bool:
        """Tell whether the caller may draw the job's page: nobody has within `every`. Then it counts as drawn."""


class PageDrawer(Protocol):
    """Somebody else who draws the pages of running jobs."""

    def ask(self, job_id: str, at: datetime) -> None:
        """Have a job's page drawn soon, or not at all; at that time the job was running."""


class Pages(Protocol):
    """The pages for people, as self-contained HTML: no script, nothing from the network."""

    def report(self, summary: Summary, manifest: Manifest | None, statistics: Statistics) -> bytes:
        """Return the report of a job that ended."""

    def status(self, manifest: Manifest, progress: JobProgress) -> bytes:
        """Return the page of a running job."""

    def ended(self, summary: Summary) -> bytes:
        """Return the page that stands where the running job's stood: it leads to the report."""


class JobStarter(Protocol):
    """Starts a job's execution."""

    def start(self, upload: UploadRecord) -> bool:
        """Start the job; return False when it was started before."""


class JobEvents(Protocol):
    """Whoever listens to what becomes of jobs."""

    def put(self, event: JobEvent) -> None:
        """Tell of one change. Raises EventNotTaken when it could not be told, after some tries."""


class EventNotTaken(Exception):  # an answer of the event bus, not a fault of the program
    """Nobody was told; the message says why."""


class OpenJobs(Protocol):
    """The jobs that have not ended yet."""

    def started_at(self) -> Iterator[datetime]:
        """Yield when each open job's execution was started."""


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def remaining(self) -> float:
        """Return the seconds this invocation may still take."""


class Source(Protocol):
    """Something in the bucket to be read: the upload, or a file that a function wrote."""

    name: str
    """What messages call it."""

    @property
    def size(self) -> int:
        """Return its bytes."""

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield its bytes from offset `start`, in blocks of about 1 MiB."""

    def open(self) -> BinaryIO:
        """Open it for reading in any order; in flat memory."""


class Sidecar(Protocol):
    """Keeps the exact values of a shard's rows, where text cannot carry them."""

    def add(self, row: Row) -> None:
        """Keep the next row of the shard."""


class InputFormat(Protocol):
    """One input format: how rows are read from an upload, and what the stored `raw` of a row means."""

    name: str
    """The format's name in recipes: csv, tsv, jsonl, json, parquet, xlsx, txt, files."""

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns; None for a format whose rows name their own."""

    @property
    def header(self) -> str:
        """Return what a later reading needs to know of the file's beginning; it is kept in the manifest."""

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows that follow `start`, some at a time: few enough that memory stays flat (`gathering`).

        `columns` and `header` are known when this returns, before the first row is taken. Raises UploadRejected where
        the file itself is broken, after the rows before that place.
        """

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells, and what could not be taken apart as `_raw`; None if nothing could."""

    @property
    def sidecar(self) -> Callable[[Writer], AbstractContextManager[Sidecar]] | None:
        """Return what keeps a shard's exact values in a file of its own; None where `raw` is exact itself."""


class PartWriter(Protocol):
    """One shard's part of the output."""

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Write the next rows, at least one: of each its own columns, unchanged, then the new ones."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An output that is the shards' parts as they are, one behind the other: what stands before them, and after."""

    before: bytes = b""
    after: bytes = b""


Assemble = Callable[[Iterable[Source], Writer], None]
"""Writes the whole output from the parts of all shards, in order; memory does not grow with them."""


class OutputFormat(Protocol):
    """One output format: how rows and outcomes become the shards' parts, and these the output."""

    extension: str
    """Of the output and of its parts: csv, csv.gz, parquet."""

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:
        """Begin a shard's part. `sidecar` holds the rows' exact values, where the input's format kept any."""

    @property
    def whole(self) -> Frame | Assemble:
        """Return how the parts of all shards make the output: as they are, or written anew."""


class Formats(Protocol):
    """All formats, chosen by the upload's name and the recipe."""

    def reader(
        self, key: InboxKey, options: Input | Literal["files"], new: NewColumns, header: str = ""
    ) -> InputFormat:
        """Return what reads an upload; `header` is what an earlier reading found. Raises UploadRejected."""

    def writer(
        self, reader: InputFormat, key: InboxKey, options: Output, new: NewColumns, columns: list[Column]
    ) -> OutputFormat:
        """Return what writes the output; `columns` are the input's own, as far as read. Raises UploadRejected."""

    def failed(self, reader: InputFormat, new: NewColumns) -> OutputFormat:
        """Return what writes `failed.jsonl`."""
