"""Keep a job's raw answers beside its results, for as long as these live."""

from __future__ import annotations

import re

from batchdrop.job.layout import JobKeys
from batchdrop.ports import Guard, ObjectStore

_ROUND = re.compile(r"\d{5}\.r\d+\.jsonl")  # a collected round; other files repeat its lines, or are parts of it


def keep_raw_answers(job_id: str, key: str, *, store: ObjectStore, guard: Guard) -> bool:
    """Write the API's result lines of all collected rounds to `key`; return False if there are none.

    The lines stay as the API gave them. They are copied inside the bucket.
    """
    keys = JobKeys(job_id)
    rounds = sorted(one for one in store.keys(keys.all_answers) if _ROUND.fullmatch(one.removeprefix(keys.all_answers)))
    pieces: list[bytes | str] = []
    for one in rounds:
        pieces += [one] if _ends_line(one, store) else [one, b"\n"]
    if pieces:
        store.stitch(key, pieces, guard=guard)
    return bool(pieces)


def _ends_line(key: str, store: ObjectStore) -> bool:
    size = store.size(key)
    return not size or store.read_range(key, size - 1, size) == b"\n"
