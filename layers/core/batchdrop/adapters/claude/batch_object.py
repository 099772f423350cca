"""Read a Message Batch object. A field that is odd counts as unknown; a field that is missing costs nobody an answer.

Unknown counts are 0, and an unknown date or status is empty. Readers treat both as undecided.
"""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.answers.odd_records import ODD
from batchdrop.answers.result import MessageBatch, RequestCounts


class _Odd(msgspec.Struct, frozen=True):
    """A Message Batch of which only the id is sure."""

    id: str
    processing_status: Any = None
    request_counts: Any = None
    created_at: Any = None
    ended_at: Any = None
    results_url: Any = None


MAX_COUNT = 2**53  # ours: beyond it, JSON readers round; a Message Batch has 100,000 requests at most

_BATCH = msgspec.json.Decoder(MessageBatch)
_ODD = msgspec.json.Decoder(_Odd)


def batch_of(body: bytes) -> MessageBatch:
    """Return the Message Batch of a response. Raises DecodeError for a body without an id or a status."""
    batch = listed_batch_of(body)
    if not batch.processing_status:
        message = f"{batch.id}: a Message Batch without a processing_status"
        raise msgspec.ValidationError(message)
    return batch


def listed_batch_of(body: bytes | msgspec.Raw) -> MessageBatch:
    """Return a Message Batch of the list. Raises DecodeError without an id."""
    try:
        batch = _BATCH.decode(body)
        is_odd = not all(map(_is_count, msgspec.structs.astuple(batch.request_counts)))
    except ODD:
        is_odd = True
    if is_odd:
        batch = _from_odd(body)
    if not batch.id:
        message = "a Message Batch without an id"
        raise msgspec.ValidationError(message)
    return batch


def _from_odd(body: bytes | msgspec.Raw) -> MessageBatch:
    try:
        odd = _ODD.decode(body)
    except RecursionError as error:
        message = "a Message Batch that is nested too deeply"
        raise msgspec.DecodeError(message) from error
    counts = odd.request_counts if isinstance(odd.request_counts, dict) else {}
    known = {name: counts[name] for name in RequestCounts.__struct_fields__ if _is_count(counts.get(name))}
    return MessageBatch(
        id=odd.id,
        processing_status=_text(odd.processing_status),
        request_counts=RequestCounts(**known),
        created_at=_text(odd.created_at),
        ended_at=_text(odd.ended_at) or None,
        results_url=_text(odd.results_url) or None,
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_COUNT


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
