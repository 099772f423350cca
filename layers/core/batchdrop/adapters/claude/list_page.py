"""One page of the list of Message Batches. Other clients' may look odd, and must not hide ours."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.errors import ApiUnavailable


class Page(msgspec.Struct, frozen=True):
    """A page as it came. `last_id` is the cursor to the next one."""

    data: list[msgspec.Raw]
    has_more: bool
    last_id: str | None = None


class _Odd(msgspec.Struct, frozen=True):
    """A Message Batch of which only the id is sure."""

    id: str
    processing_status: Any = None
    request_counts: Any = None
    created_at: Any = None
    results_url: Any = None


_BATCH = msgspec.json.Decoder(MessageBatch)
_ODD = msgspec.json.Decoder(_Odd)


def as_listed(body: msgspec.Raw) -> MessageBatch:
    """Return a Message Batch of the list; what cannot be read of it is empty. Raises ApiUnavailable without an id."""
    try:
        return _BATCH.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _from_odd(body)


def refuse_if_cut(page: Page, *, is_first: bool) -> None:
    """Raise ApiUnavailable where the list breaks off: the page before promised more, or this one names no next page."""
    if page.has_more and page.last_id is None:
        message = "the list of Message Batches says that it has more, without a cursor to it"
        raise ApiUnavailable(message)
    if not page.data and (page.has_more or not is_first):
        message = "a page of the list of Message Batches is empty, but the page before it said that it has more"
        raise ApiUnavailable(message)


def date_of(header: str) -> datetime | None:
    """Return the time of a `Date` header; None if it is missing, or is none."""
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date if date.tzinfo else None


def _from_odd(body: msgspec.Raw) -> MessageBatch:
    try:
        odd = _ODD.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"the list of Message Batches holds one without an id: {error}"
        raise ApiUnavailable(message) from error
    counts = odd.request_counts if isinstance(odd.request_counts, dict) else {}
    known = {name: counts[name] for name in RequestCounts.__struct_fields__ if type(counts.get(name)) is int}
    return MessageBatch(
        id=odd.id,
        processing_status=_text(odd.processing_status),
        request_counts=RequestCounts(**known),
        created_at=_text(odd.created_at),
        results_url=_text(odd.results_url) or None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
