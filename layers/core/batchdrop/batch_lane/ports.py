"""The Message Batches API, as Protocols."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Protocol

from batchdrop.answers.result import MessageBatch


class RequestBody(Protocol):
    """A create body that can be read again from its start, in flat memory."""

    @property
    def size(self) -> int:
        """Return the body's bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body from its first byte, each time."""


class BatchReader(Protocol):
    """Reads and cancels existing Message Batches. None of its calls is billed."""

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost on 404, ApiUnavailable, RateLimited, AccountTrouble."""

    def created_since(self, since: datetime) -> Iterator[MessageBatch]:
        """Yield the Message Batches created at or after `since`, newest first, whoever created them.

        Raises ApiUnavailable, RateLimited, AccountTrouble.
        """

    def cancel(self, batch_id: str) -> None:
        """Cancel a Message Batch; one that has ended stays as it is. Raises as `retrieve`."""

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the result lines' bytes as they come. Raises ResultsForeign, ResultsIncomplete, ApiUnavailable."""


class BatchCreator(BatchReader, Protocol):
    """Also creates Message Batches, which are billed."""

    def create(self, body: RequestBody, *, timeout: float) -> MessageBatch:
        """Send one create, once; wait at most `timeout` seconds between two signs of life.

        Raises SubmissionRefused, AccountTrouble, RateLimited or ApiUnavailable when nothing was created,
        SubmissionUncertain when that cannot be known.
        """
