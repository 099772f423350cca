"""What the live lane's workers did, written down from outside of them: by the API's end and by the bucket's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal

SliceName = tuple[int, int, int]  # shard, round, slice
RoundName = tuple[int, int]  # shard, round


@dataclass(eq=False)
class Call:
    """One request that a worker sent. `end` is what the worker saw of it; empty if it did not live so long.

    `row` is the first row in the request. `rows` has all of them: more than one if it is a pack.
    """

    row: int
    worker: str
    sent_at: float
    within: float = 0.0  # seconds that the worker waits for it
    usd: Decimal | None = None  # None: not billed
    text: str = ""  # of a billed answer
    model: str = ""  # of the request
    end: str = ""
    rows: tuple[int, ...] = ()


DELIVERED = "delivered"
REFUSALS = ("answered 429", "answered 529", "answered 502")
CUT = "cut in its body"


@dataclass(frozen=True)
class Flush:
    """An object of result lines: whose, when it appeared, and each line's row and whether it is an answer."""

    key: str
    worker: str
    at: float
    lines: tuple[tuple[int, bool], ...]


@dataclass
class Journal:
    """All of it, in order."""

    calls: list[Call] = field(default_factory=list)
    slices: dict[str, SliceName] = field(default_factory=dict)  # of each worker
    flushes: list[Flush] = field(default_factory=list)
    looked_at: dict[str, float] = field(default_factory=dict)  # when a worker first read what is flushed
    collected_from: dict[RoundName, float] = field(default_factory=dict)  # the first look of any collection
    unreached: set[int] = field(default_factory=set)  # rows whose request once found no connection
    killed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)  # workers whose message comes again
    stopped_loops: list[str] = field(default_factory=list)  # bodies of messages that Lambda stopped
    refused_by_store: set[str] = field(default_factory=set)
    given_up: set[int] = field(default_factory=set)  # shards with a slice that nobody served, or with none
    names: dict[str, str] = field(default_factory=dict)  # an attempt's name in keys -> its worker

    def serves(self, worker: str, body: str) -> None:
        """Note which slice a worker was given."""
        given = json.loads(body)["slice"]
        self.slices[worker] = (given["shard"], given["round"], given["slice"])

    def kept(self, row: int, worker: str) -> Flush | None:
        """Return the flush that holds this worker's answer to a row."""
        return next((one for one in self.flushes if one.worker == worker and (row, True) in one.lines), None)

    def line_of(self, row: int, worker: str) -> Flush | None:
        """Return the flush that holds this worker's line of a row, an answer or not."""
        return next((one for one in self.flushes if one.worker == worker and row in dict(one.lines)), None)

    def workers_of(self, name: SliceName) -> list[str]:
        """Return who served a slice."""
        return [worker for worker, served in self.slices.items() if served == name]
