"""Pack requests into shards. Each shard fits one Message Batch, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchdrop.answers import custom_id
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.requests.request import request_line

MAX_ANSWER_BYTES = 4_000_000_000  # ours: answers of one shard, all rounds together, on 4,096 MB (4.29e9) of /tmp
MAX_BATCH_BYTES = 250_000_000  # Message Batches: at most 256 MB; lower here, in case MB is decimal

BODY_HEAD = b'{"requests":[\n'
BODY_SEPARATOR = b",\n"
BODY_TAIL = b"\n]}"


@dataclass(frozen=True, slots=True)
class ShardLimits:
    """The limits of one shard: rows (including rows without a request), bytes of the create body.

    `max_answer_bytes` limits its answers on disk (`answer_weight`), so that collecting them never fills the disk.
    """

    max_rows: int = MAX_BATCH_REQUESTS
    max_bytes: int = MAX_BATCH_BYTES
    max_answer_bytes: int = MAX_ANSWER_BYTES
    first: tuple[int, ...] = ()
    """The most requests in each of the first shards: the recipe's `sample`, or one each for pilots."""


class Loads(NamedTuple):
    """What rows add to their shard, in order.

    `params` are sizes in bytes, None for a row without a request. `answers` is the largest size of each row's answers,
    in bytes.
    """

    params: Sequence[int | None]
    answers: Sequence[int]


class Packer:
    """Fills the shards one after the other, in the rows' order. It holds only counters, so memory stays flat."""

    def __init__(self, job_id: str, limits: ShardLimits, *, first_shard: int = 0) -> None:
        self._job_id = job_id
        self._limits = limits
        self._open(first_shard)

    def open_next(self) -> None:
        """Start the next shard."""
        self._open(self.shard + 1)

    def take(self, loads: Loads) -> int:
        """Add as many of these rows as fit to the shard, from the first; return how many.

        An empty shard accepts any row: MAX_REQUEST_BYTES is far below MAX_BATCH_BYTES, and one row's answers far below
        MAX_ANSWER_BYTES.
        """
        count = len(loads.params)
        if self._takes_all(loads):
            return count
        half = count // 2
        if not half:
            return 0
        taken = self.take(Loads._make(own[:half] for own in loads))
        return taken if taken < half else half + self.take(Loads._make(own[half:] for own in loads))

    def _open(self, shard: int) -> None:
        self.shard = shard
        self._filled = _Filled()
        first = custom_id.after(custom_id.prefix(self._job_id, shard), 0)
        self._line_overhead = len(request_line(first, b"")) + len(BODY_SEPARATOR)

    def _takes_all(self, loads: Loads) -> bool:
        """Add all these rows if they fit. The limits are on sums, so then each single row fits, too."""
        before, sizes = self._filled, [size for size in loads.params if size is not None]
        after = _Filled(
            rows=before.rows + len(loads.params),
            requests=before.requests + len(sizes),
            bytes=before.bytes + sum(sizes) + len(sizes) * self._line_overhead,
            answers=before.answers + sum(loads.answers),
        )
        is_one = len(loads.params) == 1
        fits = self._has_room(after, has_last_request=loads.params[-1] is not None)
        if fits or (is_one and not before.rows):
            self._filled = after
            return True
        return False

    def _has_room(self, after: _Filled, *, has_last_request: bool) -> bool:
        """Return whether the shard stays within its limits. A shard with its whole sample accepts no more rows."""
        limits = self._limits
        most = limits.first[self.shard] if self.shard < len(limits.first) else None
        is_sampled = most is not None and after.requests - has_last_request >= most
        return (
            after.rows <= limits.max_rows
            and after.bytes <= limits.max_bytes
            and after.answers <= limits.max_answer_bytes
            and not is_sampled
        )


class _Filled(NamedTuple):
    """The contents of a shard. `bytes` counts a separator before the first request, too; the start value offsets it."""

    rows: int = 0
    requests: int = 0
    bytes: int = len(BODY_HEAD) + len(BODY_TAIL) - len(BODY_SEPARATOR)
    answers: int = 0
