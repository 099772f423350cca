"""A job's timeline, from its executions, manifest, ledger, files and summary."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from batchdrop.cli.bucket import Stored
from batchdrop.cli.job.documents import SplitSoFar, Summary
from batchdrop.cli.job.figures import counted
from batchdrop.cli.job.jobs import Execution, Job
from batchdrop.job.layout import JobKeys
from batchdrop.job.submission import Halt, Submission
from batchdrop.report.summary import fault_of

LONGEST_CAUSE = 300  # characters that are shown of it
_ANSWERS = re.compile(r"/\d{5}\.r(\d+)\.jsonl$")


class Event(msgspec.Struct, frozen=True):
    """An event at a time; for several shards, from then until `until`."""

    at: datetime
    what: str
    until: datetime | None = None


def timeline(
    job: Job,
    *,
    split: SplitSoFar | None,
    submissions: Iterable[Submission],
    answers: Iterable[Stored],
    halt: Halt | None,
    summary: Summary | None,
) -> list[Event]:
    """Return a job's events in order. `answers` are the files of collected rounds."""
    events = [Event(job.record.uploaded_at, f"uploaded {job.record.key} ({job.record.size:,} bytes)")]
    for number, execution in enumerate(job.executions):
        events.append(Event(execution.started_at, f"resumed as {execution.name}" if number else "job started"))
        if execution.stopped_at:
            events.append(Event(execution.stopped_at, _ended(execution)))
    if split and split.split_ended_at:
        events.append(
            Event(split.split_ended_at, f"split: {counted(split.rows, 'row')}, {counted(len(split.shards), 'shard')}")
        )
    events += _rounds_sent(submissions)
    events += _rounds_collected(answers)
    if halt is not None:
        events.append(Event(halt.at, f"halted: {halt.error}: {halt.reason}"))
    events += _closed(summary)
    return sorted(events, key=lambda event: event.at)


def _ended(execution: Execution) -> str:
    """Return how an execution ended. A resume lifts the job's halt, so its reason is kept here."""
    ended = f"execution ended: {execution.status.lower().replace('_', ' ')}"
    cause = fault_of("", execution.cause).message  # a function's cause is JSON
    return f"{ended}: {cause[:LONGEST_CAUSE]}" if cause else ended


def answers_of(job_id: str) -> str:
    """Return the prefix of the files that `timeline` needs as `answers`."""
    return JobKeys(job_id).all_answers


def _rounds_sent(submissions: Iterable[Submission]) -> list[Event]:
    rounds: dict[int, list[Submission]] = {}
    for sent in submissions:
        rounds.setdefault(sent.round_number, []).append(sent)
    return [_round_sent(number, sent) for number, sent in sorted(rounds.items())]


def _round_sent(number: int, sent: list[Submission]) -> Event:
    times = [one.sent_at for one in sent]
    requests = sum(one.requests for one in sent)
    ids = [one.batch_id or "(no id)" for one in sent]
    named = ids[0] if len(ids) == 1 else f"{len(ids):,} Message Batches"
    what = f"round {number + 1} submitted: {counted(requests, 'request')} as {named}"
    open_ones = sum(one.state != "accepted" for one in sent)
    if open_ones:
        what += f"; {open_ones:,} with an unknown outcome, being settled"
    return _span(times, what)


def _rounds_collected(answers: Iterable[Stored]) -> list[Event]:
    rounds: dict[int, list[datetime]] = {}
    for file in answers:
        named = _ANSWERS.search(file.key)
        if named and file.modified:
            rounds.setdefault(int(named[1]), []).append(file.modified)
    return [
        _span(times, f"round {number + 1} collected" + (f": {len(times):,} shards" if len(times) > 1 else ""))
        for number, times in sorted(rounds.items())
    ]


def _span(times: list[datetime], what: str) -> Event:
    first, last = min(times), max(times)
    return Event(first, what, last if last > first else None)


def _closed(summary: Summary | None) -> list[Event]:
    if summary is None:
        return []
    timings: dict[str, Any] = summary["timings"]
    return [Event(datetime.fromisoformat(timings["finished_at"]), f"closed: {summary['status']}")]
