"""Build the EventBridge event that reports a change of a job's state (docs/events.md)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from batchdrop.job.manifest import UploadRecord
from batchdrop.job.sample import SampleReport
from batchdrop.report.commands import Commands
from batchdrop.report.going_on import going_on
from batchdrop.report.summary import Summary, TallyBlock

SOURCE = "batchdrop"
DETAIL_TYPE = "Job state changed"
VERSION = 1  # of the detail's shape; new members can be added without a new version
MAX_MESSAGE_CHARS = 1_000  # ours: EventBridge allows 256 KB an entry, but a person reads only the first line

State = Literal["started", "split", "awaiting_approval", "succeeded", "failed", "canceled"]


class RowCounts(msgspec.Struct, frozen=True):
    """rows = answered + unusable + failed + rejected. Unusable answers are paid."""

    rows: int
    answered: int
    unusable: int
    failed: int
    rejected: int


class FirstFault(msgspec.Struct, frozen=True):
    """The first fault of a job that failed. `message` is cut after MAX_MESSAGE_CHARS."""

    type: str
    message: str


class ShownSample(msgspec.Struct, frozen=True):
    """A sample that waits for its approval. `spent_usd` is the cost of its own `rows`.

    `requests` counts the requests of the other rows. `low_usd` and `high_usd` project the cost of the whole job.
    Dollars are None if they are not known.
    """

    rows: RowCounts
    spent_usd: Decimal | None
    requests: int
    low_usd: Decimal | None
    high_usd: Decimal | None


class JobEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change. The same state of the same execution may be sent more than once; `at` orders a job's events.

    `split` has `requests` and `shards`. `awaiting_approval` has `sample` and `results` (a prefix of keys). The end of a
    job has `shards`, `results`, `rows`, `fault` and `usd` (None if a price is not known). `stack` is the name of the
    CloudFormation stack. `said` is the event as one line of text, without quotes, backslashes and angle brackets, so
    that it stays one line in any template.
    """

    version: int
    stack: str
    job_id: str
    execution: str
    state: State
    at: datetime
    said: str
    bucket: str
    upload: str
    requests: int | None = None
    shards: int | None = None
    results: str | None = None
    sample: ShownSample | None = None
    rows: RowCounts | None = None
    usd: Decimal | None = None
    fault: FirstFault | None = None


def job_started(upload: UploadRecord, *, stack: str, at: datetime) -> JobEvent:
    """Return the event of an execution that was started."""
    return _event(upload, "started", stack, at, f"{upload.key} started a job.")


def job_split(upload: UploadRecord, *, stack: str, at: datetime, requests: int, shards: int) -> JobEvent:
    """Return the event of a file that is completely split."""
    said = f"{upload.key} is split: {requests:,} requests in {shards:,} shards."
    return msgspec.structs.replace(_event(upload, "split", stack, at, said), requests=requests, shards=shards)


def job_awaits_approval(upload: UploadRecord, report: SampleReport, *, stack: str) -> JobEvent:
    """Return the event of a sample that waits for its approval. Its time is the time of the showing."""
    projected = report.projected
    sample = ShownSample(
        rows=_row_counts(report.tally),
        spent_usd=report.spent_usd,
        requests=report.rest.requests,
        low_usd=projected.low_usd if projected else None,
        high_usd=projected.high_usd if projected else None,
    )
    return msgspec.structs.replace(
        _event(upload, "awaiting_approval", stack, report.shown_at, _question(upload, sample, report.output)),
        results=report.output.rpartition("/")[0] + "/",
        sample=sample,
    )


def job_ended(upload: UploadRecord, summary: Summary, *, stack: str, commands: Commands | None = None) -> JobEvent:
    """Return the event of a closed job. Its time is the time of the summary."""
    return msgspec.structs.replace(
        _event(
            upload, summary.status, stack, summary.timings.finished_at, _ending(upload, summary, commands or Commands())
        ),
        shards=summary.shards,
        results=summary.results,
        rows=_row_counts(summary.tally),
        usd=summary.cost.usd,
        fault=_first_fault(summary),
    )


def encoded(event: JobEvent) -> str:
    """Return the event's detail as JSON, with dollars as numbers."""
    return msgspec.json.Encoder(decimal_format="number").encode(event).decode()


def _event(upload: UploadRecord, state: State, stack: str, at: datetime, said: str) -> JobEvent:
    return JobEvent(
        version=VERSION,
        stack=stack,
        job_id=upload.job_id,
        execution=upload.execution_name,
        state=state,
        at=at,
        said=_plain(said),
        bucket=upload.bucket,
        upload=upload.key,
    )


def _row_counts(tally: TallyBlock) -> RowCounts:
    return RowCounts(tally.rows, tally.answered, tally.unusable, tally.failed, tally.rejected)


def _question(upload: UploadRecord, sample: ShownSample, output: str) -> str:
    """Return the text of a sample's event. The command comes early, so that a long key cannot cut it off."""
    to_do = f"waits for `batchdrop approve {upload.job_id}`"
    sample_text = f"its sample has {_count(sample.rows)}, {_price(sample.spent_usd)}"
    whole = "the cost of the whole job is not known"
    if sample.low_usd is not None:
        whole = f"the whole job will cost ${sample.low_usd:,.4f} to ${sample.high_usd:,.4f}"
    return f"{upload.key} {to_do}: {sample_text}; {whole}. Sample: s3://{upload.bucket}/{output}"


def _ending(upload: UploadRecord, summary: Summary, commands: Commands) -> str:
    rows, usd = _count(_row_counts(summary.tally)), _price(summary.cost.usd)
    fault = _first_fault(summary)
    why = f" {fault.type}: {fault.message}" if fault else ""
    results = f"s3://{upload.bucket}/{summary.results}"
    on = going_on(summary, commands)  # before the fault's message, whose length could cut it off
    to_do = f" To go on: `{on.command}`; {on.kept}." if on else ""
    return f"{upload.key} {summary.status}: {rows}, {usd}.{to_do} Results: {results}{why}"


def _count(rows: RowCounts) -> str:
    return (
        f"{rows.answered:,} rows answered, {rows.unusable:,} unusable, {rows.failed:,} failed, "
        f"{rows.rejected:,} rejected"
    )


def _price(usd: Decimal | None) -> str:
    return "at an unknown price" if usd is None else f"for ${usd:,.4f}"


def _plain(said: str) -> str:
    kept = "".join(char if char.isprintable() and char not in '"\\<>' else " " for char in said)
    return kept[:MAX_MESSAGE_CHARS]


def _first_fault(summary: Summary) -> FirstFault | None:
    if not summary.faults:
        return None
    first = summary.faults[0]
    return FirstFault(first.type, first.message[:MAX_MESSAGE_CHARS])
