"""`custom_id` = `<job>-<shard>-<index>`: it names the row, and proves that a Message Batch is ours."""

from collections.abc import Iterable

import msgspec

MAX_CUSTOM_ID_CHARS = 64  # Message Batches: custom_id is ^[a-zA-Z0-9_-]{1,64}$


class CustomId(msgspec.Struct, frozen=True):  # one a row: a frozen dataclass takes several times as long to make
    """The row of an answer: row `index` (from 0) of shard `shard` of job `job`."""

    job: str
    shard: int
    index: int

    def __str__(self) -> str:
        return after(prefix(self.job, self.shard), self.index)


def prefix(job: str, shard: int) -> str:
    """Return the start of every custom_id of one shard."""
    return f"{job}-{shard:05d}-"


def after(own: str, index: int) -> str:
    """Return the custom_id of the row `index` of the shard whose prefix is `own`."""
    return f"{own}{index:06d}"


def parse(text: str) -> CustomId | None:
    """Return the parts of a custom_id; None if batchdrop did not write it."""
    job_and_shard, _, index = text.rpartition("-")
    job, _, shard = job_and_shard.rpartition("-")
    if not (job and _is_number(shard) and _is_number(index)):
        return None
    return CustomId(job, int(shard), int(index))


def indexes_after(own: str, texts: Iterable[str]) -> list[int | None]:
    """Return the indexes in custom_ids that start with `own`, a shard's prefix; None for any other custom_id."""
    start = len(own)  # no function call per text, because this runs for each result
    return [
        int(end) if text.startswith(own) and (end := text[start:]).isascii() and end.isdigit() else None
        for text in texts
    ]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
