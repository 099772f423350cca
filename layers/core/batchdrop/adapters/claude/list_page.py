"""One page of the list of Message Batches. Other clients' may look odd, and must not hide ours."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

from batchdrop.adapters.claude.batch_object import listed_batch_of
from batchdrop.answers.result import MessageBatch
from batchdrop.errors import ApiUnavailable


class Page(msgspec.Struct, frozen=True):
    """A page as it came. `last_id` is the cursor to the next one."""

    data: list[msgspec.Raw]
    has_more: bool
    last_id: str | None = None


def as_listed(body: msgspec.Raw) -> MessageBatch:
    """Return a Message Batch of the list; what cannot be read of it is empty. Raises ApiUnavailable without an id."""
    try:
        return listed_batch_of(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"the list of Message Batches holds one without an id: {error}"
        raise ApiUnavailable(message) from error


def refuse_if_cut(page: Page, *, after_id: str | None) -> None:
    """Raise ApiUnavailable where the list breaks off: the page before promised more, or this one names no next page.

    `after_id` is the cursor that the page was read with; None for the first page.
    """
    if page.has_more and page.last_id in {None, after_id}:
        message = "the list of Message Batches says that it has more, without a cursor to it"
        raise ApiUnavailable(message)
    if not page.data and (page.has_more or after_id is not None):
        message = "a page of the list of Message Batches is empty, but the page before it said that it has more"
        raise ApiUnavailable(message)


def date_of(header: str) -> datetime | None:
    """Return the time of a `Date` header; None if it is missing, or is none."""
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date if date.tzinfo else None
