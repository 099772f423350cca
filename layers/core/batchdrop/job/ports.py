"""The ledger, the events and the file formats, as Protocols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
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
    """Ends the tasks of a state machine that wait for a token."""

    def succeed(self, token: str, output: bytes) -> None:
        """End the task with success; `output` is JSON. Raises TaskGone."""

    def fail(self, token: str, error: str, cause: str) -> None:
        """End the task with an error of this name. Raises TaskGone."""

    def heartbeat(self, token: str) -> None:
        """Report that the task is alive. Raises TaskGone."""


class TaskGone(Exception):  # a normal answer of Step Functions, not a fault
    """The task has timed out or has already ended, or its execution is over."""


class Ledger(Protocol):
    """Facts that need conditional writes and outlive any function."""

    def begin(self, intent: Submission) -> Submission:
        """Write the intent if there is none, or if the current submission is `armed`.

        Returns the current submission. The caller may send only if its `attempt` is the intent's.
        """

    def end_attempt(self, submission: Submission, at: datetime, *, misled: bool = False) -> None:
        """Note that an attempt is over without an id of ours, so that settling need not wait for its deadline.

        `misled`: the response had the id of another Message Batch.
        """

    def accept(self, submission: Submission, batch_id: str) -> Submission:
        """Write that an attempt became this Message Batch, and claim it. Return the current submission.

        Changes nothing if the attempt is no longer the current one, or if another submission claims the Message Batch.
        """

    def disown(self, submission: Submission, batch_id: str) -> None:
        """Note that an accepted Message Batch is not this submission's, and drop the claim.

        The submission is `sent` and `misled` again, and the Message Batch is ruled out. Changes nothing if the
        submission is no longer accepted with this Message Batch.
        """

    def rearm(self, submission: Submission) -> None:
        """Allow another attempt, because this one created nothing. No effect if it is no longer the current one."""

    def witness(self, key_print: str) -> str | None:
        """Return the last Message Batch that was accepted with a key of this fingerprint."""

    def rule_out(self, submission: Submission, batch_ids: Sequence[str]) -> None:
        """Remember which Message Batches are not this attempt's. Changes nothing if it is no longer the current one."""

    def submission(self, job_id: str, shard: int, round_number: int) -> Submission | None:
        """Return one submission; None if there is none."""

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""

    def tries_left(self, job_id: str, shard: int, round_number: int) -> list[str]:
        """Return what the last workers of a live round's slices left, each as `live_lane.tries.as_text` writes it."""

    def collected(self, job_id: str, shard: int, round_number: int, at: datetime) -> None:
        """Note when a submission's answers were first in the bucket. No effect if the submission is unknown."""

    def uncollected(self, sent_before: datetime) -> Iterator[Submission]:
        """Yield the accepted submissions of all jobs that were sent before a time and are not collected."""

    def is_claimed(self, batch_id: str) -> bool:
        """Return whether any submission claims a Message Batch."""

    def claimant(self, batch_id: str) -> Submission | None:
        """Return the submission that claims a Message Batch; None if there is none, or if it has expired."""

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""

    def halt(self, job_id: str, halt: Halt) -> None:
        """Write that the job must send nothing more. The first reason stays, but JobCanceled replaces any other."""

    def halted(self, job_id: str) -> Halt | None:
        """Return why the job must send nothing more; None if it may continue."""

    def lift(self, job_id: str) -> None:
        """Delete the job's halt and its shards' failures, so that it can be resumed."""


class Approvals(Protocol):
    """Approvals of samples, and the tokens of the tasks that wait for them.

    A token only wakes a task. The task then reads the approval.
    """

    def approve(self, job_id: str, at: datetime) -> datetime:
        """Write that the other rows may be sent; return the time of the first approval."""

    def approved(self, job_id: str) -> datetime | None:
        """Return when the job was first approved; None if it was not."""

    def keep_token(self, job_id: str, token: str, at: datetime) -> None:
        """Add the token of a waiting task to those of the job."""

    def tokens(self, job_id: str) -> list[str]:
        """Return the tokens of all tasks of the job that ever waited. Most tasks may have ended."""


class ProgressBoard(Protocol):
    """The progress of running jobs, for people only. No decision depends on it."""

    def note(self, job_id: str, progress: ShardProgress) -> None:
        """Write a shard's progress, unless a later one is stored."""

    def noted(self, job_id: str) -> list[ShardProgress]:
        """Return the progress by shard. A live round counts the requests that its slices' leases report as done."""

    def take_turn(self, job_id: str, now: datetime, every: timedelta) -> bool:
        """Return whether the caller may draw the job's page, because it was not drawn within `every`.

        If so, the page counts as drawn now.
        """


class JobStarter(Protocol):
    """Starts a job's execution."""

    def start(self, upload: UploadRecord) -> bool:
        """Start the job; return False if it was started before."""


class JobEvents(Protocol):
    """The event bus that reports the states of jobs."""

    def put(self, event: JobEvent) -> None:
        """Send one event. Raises EventNotTaken if the bus refuses it several times."""


class EventNotTaken(Exception):  # a normal answer of the event bus, not a fault
    """The bus did not accept the event; the message says why."""


class OpenJobs(Protocol):
    """The jobs that have not ended yet."""

    def started_at(self) -> Iterator[datetime]:
        """Yield the start of each open job's execution."""


class Sidecar(Protocol):
    """Keeps the exact values of a shard's rows if text cannot represent them."""

    def add(self, row: Row) -> None:
        """Keep the next row of the shard."""


class InputFormat(Protocol):
    """One input format: it reads rows from an upload, and explains the stored `raw` of a row."""

    @property
    def name(self) -> str:
        """Return the format's name in recipes: csv, tsv, jsonl, json, parquet, arrow, xlsx, txt, files.

        It is certain once the file's first bytes were read.
        """

    @property
    def notes(self) -> list[str]:
        """Return what was found in the file and is not plain from its name, for people; whole after the last row."""

    @property
    def columns(self) -> list[str] | None:
        """Return the columns of the header; None for a format whose rows name their own."""

    @property
    def header(self) -> str:
        """Return the part of the file's beginning that a later reader needs. The manifest keeps it."""

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows after `start` in blocks, in flat memory (`requests/chunking.py`).

        `columns` and `header` are known when this returns, before the first block is read. Raises UploadRejected where
        the file is broken, after it has yielded the rows before that place.
        """

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells; text that cannot be split is in `_raw`. None if nothing can be read."""

    @property
    def sidecar(self) -> Callable[[Writer], AbstractContextManager[Sidecar]] | None:
        """Return the writer of a shard's exact values; None if `raw` is exact."""


class PartWriter(Protocol):
    """One shard's part of the output."""

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Write the next rows, at least one: their own columns, unchanged, then the new columns."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An output that is the shards' parts, one after another, between `before` and `after`."""

    before: bytes = b""
    after: bytes = b""


Assemble = Callable[[Iterable[Source], Writer, Source | None], None]
"""Writes the whole output from the parts of all shards, in order; memory does not grow with them.

The last argument is the upload, for formats that change it; None if it is gone, or was compressed."""


class OutputFormat(Protocol):
    """One output format: it writes rows and outcomes into the shards' parts, and these into the output."""

    extension: str
    """The extension of the output and of its parts: csv, csv.gz, parquet."""
    changes_upload: bool
    """Whether the output is the upload itself, with the new columns in it: then `whole` wants the upload."""

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:
        """Begin a shard's part. `sidecar` has the rows' exact values, if the input's format kept any."""

    @property
    def whole(self) -> Frame | Assemble:
        """Return how the output is made of all parts: stitched (Frame), or written again (Assemble)."""


class Formats(Protocol):
    """All formats, chosen by the upload's name and the recipe."""

    def reader(
        self,
        key: InboxKey,
        options: Input | Literal["files"],
        new: NewColumns,
        header: str = "",
        wanted: Collection[str] = (),
    ) -> InputFormat:
        """Return the reader of an upload. Raises UploadRejected.

        `header` is from an earlier reader. `wanted` are the columns that the recipe uses, where they are known.
        """

    def writer(
        self, reader: InputFormat, key: InboxKey, options: Output, new: NewColumns, columns: list[Column]
    ) -> OutputFormat:
        """Return the writer of the output; `columns` are the input's own, as far as read. Raises UploadRejected."""

    def failed(self, reader: InputFormat, new: NewColumns) -> OutputFormat:
        """Return the writer of `failed.jsonl`."""

    def perhaps_paid(self, reader: InputFormat, new: NewColumns) -> OutputFormat:
        """Return the writer of `perhaps-paid.jsonl`, whose rows have an `Outcome.request`."""
