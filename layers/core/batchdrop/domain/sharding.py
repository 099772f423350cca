"""How requests are packed into shards: each fits one Message Batch, to the byte."""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from batchdrop.domain import custom_id
from batchdrop.domain.limits import MAX_ANSWER_BYTES, MAX_BATCH_BYTES, MAX_BATCH_REQUESTS
from batchdrop.domain.request import request_line

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


class Placement(msgspec.Struct, frozen=True):  # one a row: a frozen dataclass takes several times as long to make
    """Where a row goes: its shard and its index in it, both from 0."""

    shard: int
    index: int

    @property
    def opens_shard(self) -> bool:
        """Tell whether this is its shard's first row."""
        return self.index == 0


class Packer:
    """Gives each row its place, in order. Holds counters only, so memory does not grow."""

    def __init__(self, job_id: str, limits: ShardLimits, *, first_shard: int = 0) -> None:
        self._job_id = job_id
        self._limits = limits
        self._open(first_shard)

    def place(self, params_bytes: int | None, usd: Decimal = NO_DOLLARS, answer_bytes: int = 0) -> Placement:
        """Place the next row: `params_bytes` is the size of its `params`, or None for a row without a request.

        A request always fits an empty shard, for MAX_REQUEST_BYTES is far below MAX_BATCH_BYTES, and what its answers
        may weigh (`answer_bytes`) below MAX_ANSWER_BYTES; one that may cost more than a shard should (`usd`, at most)
        is the only one of its shard.
        """
        cost = self._cost(params_bytes)
        if self._rows and not (self._has_room(cost, answer_bytes) and self._can_afford(usd)):
            self._open(self._shard + 1)
            cost = self._cost(params_bytes)
        if params_bytes is not None:
            self._requests += 1
            self._bytes += cost
            self._usd += usd
            self._answers += answer_bytes
        placement = Placement(self._shard, self._rows)
        self._rows += 1
        return placement

    @property
    def is_full(self) -> bool:
        """Tell whether the next row opens a shard, whatever it asks."""
        has_sample = self._shard == 0 and self._requests == self._limits.sample
        return self._rows >= self._limits.max_rows or has_sample

    def custom_id(self, placement: Placement) -> str:
        """Return the custom_id of a placed row."""
        return str(custom_id.CustomId(self._job_id, placement.shard, placement.index))

    def _open(self, shard: int) -> None:
        self._shard = shard
        self._rows = 0
        self._requests = 0
        self._usd = NO_DOLLARS
        self._answers = 0
        self._bytes = len(BODY_HEAD) + len(BODY_TAIL)
        self._line_overhead = len(request_line(self.custom_id(Placement(shard, 0)), b""))

    def _has_room(self, cost: int, answer_bytes: int) -> bool:
        return (
            not self.is_full
            and self._bytes + cost <= self._limits.max_bytes
            and self._answers + answer_bytes <= self._limits.max_answer_bytes
        )

    def _can_afford(self, usd: Decimal) -> bool:
        """Tell whether a request's dollars fit beside others'; a shard without any takes it whatever it costs."""
        return not (usd and self._usd) or self._limits.max_usd is None or self._usd + usd <= self._limits.max_usd

    def _cost(self, params_bytes: int | None) -> int:
        """Return the bytes that a row adds to its shard's create body."""
        if params_bytes is None:
            return 0
        return params_bytes + self._line_overhead + (len(BODY_SEPARATOR) if self._requests else 0)
