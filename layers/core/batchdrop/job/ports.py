"""The ledger, the events and the file formats, as Protocols."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from batchdrop.answers.columns import Column, NewColumns
from batchdrop.answers.outcome import Outcome
from batchdrop.job.job_event import JobEvent
from batchdrop.job.job_progress import ShardProgress
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.job.upload import InboxKey
from batchdrop.ports import Source, Writer
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor, Row, StoredRow


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

    def submission(self, job_id: str, shard: int, round_number: int) -> Submission | None:
        """Return one submission."""

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""

    def collected(self, job_id: str, shard: int, round_number: int, at: datetime) -> None:
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
