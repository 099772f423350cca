"""The Message Batches API, as Protocols."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from batchdrop.answers.result import MessageBatch


class RequestBody(Protocol):
    """The body of a create. It can be read several times, and memory stays flat."""

    @property
    def size(self) -> int:
        """Return the body's size in bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body; each iteration starts at the first byte."""


class BatchReader(Protocol):
    """Read and cancel existing Message Batches. None of these calls is billed."""

    @property
    def workspace(self) -> str:
        """Return the workspace that each call names; empty means that the key alone decides."""

    @property
    def key_print(self) -> str:
        """Return a fingerprint of the API key."""

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost on 404, ApiUnavailable, RateLimited, AccountTrouble."""

    def newest_first(self) -> Iterator[MessageBatch]:
        """Yield the Message Batches that any client created, newest first. Pages are read when they are needed.

        Raises ApiUnavailable, also if the list breaks off before its end; RateLimited, AccountTrouble.
        """

    def clock_offset(self, now: datetime) -> timedelta | None:
        """Return the service's clock minus ours, from its last response, which came at `now`; None if unknown."""

    def cancel(self, batch_id: str) -> None:
        """Cancel a Message Batch; no effect if it has ended. Raises the errors of `retrieve`."""

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the result lines' bytes as they arrive. Raises ResultsIncomplete, ApiUnavailable."""


class BatchCreator(BatchReader, Protocol):
    """Also create Message Batches, which are billed."""

    def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
        """Send one create, without retries; `timeout` limits each wait for the network, in seconds.

        `betas` are sent as a header.

        Raises SubmissionRefused, AccountTrouble, RateLimited or ApiUnavailable if nothing was created, and
        SubmissionUncertain if a Message Batch may have been created.
        """
