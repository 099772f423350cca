"""A slice: the part of a shard's round that one message of the live lane's queue is for."""

from __future__ import annotations

import msgspec


def names_of_round(shard: int, round_number: int) -> str:
    """Return the prefix of the names of all slices of a shard's round."""
    return f"{shard:05d}#r{round_number}#"


class Slice(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` (exclusive) of one round's create body: whole lines, `requests` of them.

    Shards, rounds and slices count from 0. A worker holds its slice in memory, so a slice has only a few megabytes.
    `until` (Unix seconds) is when its requests end, answered or not; 0 for never. `betas` are sent with each request;
    None in the message of an older version, whose worker reads them from the manifest. `marks` is the lane whose
    requests may be marked for the prompt cache.
    """

    job_id: str
    shard: int
    round: int
    slice: int
    start: int
    end: int
    requests: int
    until: int = 0
    betas: tuple[str, ...] | None = None
    marks: str = ""

    @property
    def name(self) -> str:
        """Return the slice's name, which is unique in its job."""
        return f"{names_of_round(self.shard, self.round)}{self.slice:05d}"


class SliceTask(msgspec.Struct, frozen=True):
    """The body of a message: the slice, and the token of the Step Functions task that waits for it."""

    task_token: str
    slice: Slice


class SliceCounts(msgspec.Struct, frozen=True):
    """The counts of a slice, for the state machine.

    - `answered` and `errored` count rows with a result line from any of the slice's workers. `left` rows have none,
      because the job was halted before they were sent.
    - `asked` counts all calls of the worker that ended the slice. `uncertain` counts those whose answer was lost, and
      that may have been billed.
    - `handed_back` counts the workers that had the slice before.
    """

    requests: int
    answered: int
    errored: int
    left: int
    asked: int
    uncertain: int
    handed_back: int
    stopped: str = ""
    """Why nothing more is sent: empty, `AccountTrouble`, `JobCanceled`, or `TimeOver` (the slice's `until`)."""
    throttled: int = 0
    """Calls of that worker that were refused with 429, 529 or 502."""
