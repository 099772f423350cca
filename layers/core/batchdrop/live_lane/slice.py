"""A slice: the piece of a shard's round that one message of the live lane's queue asks for."""

from __future__ import annotations

import msgspec


def names_of_round(shard: int, round_number: int) -> str:
    """Return what the names of all slices of a shard's round begin with."""
    return f"{shard:05d}#r{round_number}#"


class Slice(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` (exclusive) of one round's create body: whole lines, `requests` of them.

    Shards, rounds and slices count from 0. A slice is held in memory, so whoever cuts it keeps it to some megabytes.
    """

    job_id: str
    shard: int
    round: int
    slice: int
    start: int
    end: int
    requests: int

    @property
    def name(self) -> str:
        """Return what tells this slice from all others of its job."""
        return f"{names_of_round(self.shard, self.round)}{self.slice:05d}"


class SliceTask(msgspec.Struct, frozen=True):
    """The body of a message: what to ask, and whom to tell (the task token of Step Functions)."""

    task_token: str
    slice: Slice


class SliceCounts(msgspec.Struct, frozen=True):
    """What became of a slice, as the state machine learns it.

    `answered` and `errored` are rows with a result line, whoever of the slice's workers wrote it; `left` have none:
    the job was halted before their turn. `asked` and `uncertain` count calls of the worker that ended the slice:
    all of them, and those whose answer was lost on its way and may have been billed. `handed_back` is how many workers
    had the slice before.
    """

    requests: int
    answered: int
    errored: int
    left: int
    asked: int
    uncertain: int
    handed_back: int
    stopped: str = ""
    """Why the job asks nothing more: empty, `AccountTrouble` or `JobCanceled`."""
    throttled: int = 0
    """Calls of that worker that the API refused with 429 or 529."""
