"""Decide whether a Message Batch is ours: its results have our custom_ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import ODD, records_of
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.list_pass import shortened
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import ApiUnavailable, MessageBatchLost, RateLimited, ResultsIncomplete
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.submission import Submission

# These results may be readable later. If they never are, the Message Batch may be another client's, so our shard does
# not fail because of them.
UNREADABLE = (ApiUnavailable, RateLimited, MessageBatchLost, ResultsIncomplete)


class Undecided(Exception):  # a normal result of `is_ours`, not a fault
    """It is not known yet whether a Message Batch is ours; the message says why."""


class _Line(msgspec.Struct):
    custom_id: str


_LINE = msgspec.json.Decoder(_Line)


def is_ours(batch: MessageBatch, submission: Submission, api: BatchReader) -> bool:
    """Search the results for one of our custom_ids. Raises Undecided.

    One line with our custom_id proves that it is ours; one of another shard of the job proves that it is not. Without
    either, only all results, as many as the Message Batch counts, prove that it belongs to another client.
    """
    if batch.processing_status != "ended":
        message = f"{batch.processing_status}, created {batch.created_at}"
        raise Undecided(message)
    ours = custom_id.prefix(submission.job_id, submission.shard)
    lines = unreadable = 0
    for text in _custom_ids(batch, api):
        lines += 1
        if text is None:
            unreadable += 1
        elif text.startswith(ours):
            return True
        elif _is_another_shards(text, submission):
            return False
    # After the end, the count may be one too many. Ours has no more results than we sent requests.
    expected = min(batch.request_counts.total or submission.requests, submission.requests)
    if unreadable or lines < expected:
        unread = f", {unreadable} of them unreadable" if unreadable else ""
        message = f"{lines} results{unread}, none of them ours, of {expected}"
        raise Undecided(message)
    return False


def _custom_ids(batch: MessageBatch, api: BatchReader) -> Iterator[str | None]:
    """Yield the custom_id of each result; None for a line that cannot be read. Raises Undecided."""
    try:
        with closing(api.results(batch)) as blocks:
            for line in filter(bytes.strip, whole_lines(blocks)):
                yield from _ids_of(line)
    except UNREADABLE as trouble:
        raise Undecided(shortened(trouble)) from trouble


def _ids_of(line: bytes) -> list[str | None]:
    """Return the custom_ids in a line: nearly always one. An odd line may have none, or those of glued records."""
    try:
        return [_LINE.decode(line).custom_id or None]
    except ODD:
        return [record.head.custom_id or None if record else None for record in records_of(line)]


def _is_another_shards(text: str, submission: Submission) -> bool:
    """Return whether a custom_id belongs to another shard of the job."""
    known = custom_id.parse(text)
    return known is not None and known.job == submission.job_id and known.shard != submission.shard
