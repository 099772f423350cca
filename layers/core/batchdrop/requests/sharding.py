"""How requests are packed into shards: each fits one Message Batch, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from batchdrop.answers import custom_id
from batchdrop.limits import MAX_ANSWER_BYTES, MAX_BATCH_BYTES, MAX_BATCH_REQUESTS
from batchdrop.requests.request import request_line

NO_DOLLARS = Decimal(0)
BODY_HEAD = b'{"requests":[\n'
BODY_SEPARATOR = b",\n"
BODY_TAIL = b"\n]}"


@dataclass(frozen=True, slots=True)
class ShardLimits:
    """How much one shard may hold: rows (those without a request count too), bytes of the create body, dollars.

    `max_answer_bytes` is what its answers may weigh (`answer_weight`), so that collecting them never fills the disk.
    `max_usd` is what its requests may cost at most, at the standard price; None where they may cost what they do.
    """

    max_rows: int = MAX_BATCH_REQUESTS
    max_bytes: int = MAX_BATCH_BYTES
    max_answer_bytes: int = MAX_ANSWER_BYTES
    max_usd: Decimal | None = None
    sample: int | None = None
    """How many requests the first shard takes at most, as the recipe's `sample`."""


class Loads(NamedTuple):
    """What rows bring to their shard, in order.

    `params` are their bytes, None for a row without a request; `usd` what each may cost at most; `answers` the bytes
    that its answers may weigh.
    """

    params: Sequence[int | None]
    usd: Sequence[Decimal]
    answers: Sequence[int]


class Packer:
    """Fills one shard after the other, in the rows' order. Holds counters only, so memory does not grow."""

    def __init__(self, job_id: str, limits: ShardLimits, *, first_shard: int = 0) -> None:
        self._job_id = job_id
        self._limits = limits
        self._open(first_shard)

    def open_next(self) -> None:
        """Begin the next shard."""
        self._open(self.shard + 1)

    def take(self, loads: Loads) -> int:
        """Put the first of these rows into the shard, as many as fit; return how many.

        An empty shard takes any row, for MAX_REQUEST_BYTES is far below MAX_BATCH_BYTES, and what its answers may
        weigh below MAX_ANSWER_BYTES; one that may cost more than a shard should is the only one of its shard.
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
        """Put all these rows into the shard if they fit: the limits are on sums, so each of them fits in its turn."""
        before, sizes = self._filled, [size for size in loads.params if size is not None]
        after = _Filled(
            rows=before.rows + len(loads.params),
            requests=before.requests + len(sizes),
            bytes=before.bytes + sum(sizes) + len(sizes) * self._line_overhead,
            usd=before.usd + sum(loads.usd),
            answers=before.answers + sum(loads.answers),
        )
        is_one = len(loads.params) == 1
        pays_alone = is_one and not (before.usd and loads.usd[0])
        fits = self._has_room(after, is_last_asked=loads.params[-1] is not None) and (
            pays_alone or self._limits.max_usd is None or after.usd <= self._limits.max_usd
        )
        if fits or (is_one and not before.rows):
            self._filled = after
            return True
        return False

    def _has_room(self, after: _Filled, *, is_last_asked: bool) -> bool:
        """Tell whether the shard may hold so much; one that has its sample's requests takes no other row."""
        limits = self._limits
        is_sampled = self.shard == 0 and limits.sample is not None and after.requests - is_last_asked >= limits.sample
        return (
            after.rows <= limits.max_rows
            and after.bytes <= limits.max_bytes
            and after.answers <= limits.max_answer_bytes
            and not is_sampled
        )


class _Filled(NamedTuple):
    """What is in a shard. `bytes` are its create body's, as if a separator were before its first request, too."""

    rows: int = 0
    requests: int = 0
    bytes: int = len(BODY_HEAD) + len(BODY_TAIL) - len(BODY_SEPARATOR)
    usd: Decimal = NO_DOLLARS
    answers: int = 0
