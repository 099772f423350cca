"""Read the mark that a primed job's requests get while they are sent."""

from __future__ import annotations

import msgspec

from batchdrop.job.layout import JobKeys
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.requests.cache_mark import CacheMark


def read_mark(job_id: str, store: ObjectStore) -> CacheMark | None:
    """Return a job's mark; None if it has none."""
    try:
        return msgspec.json.decode(store.read(JobKeys(job_id).cache_mark), type=CacheMark)
    except ObjectMissing:
        return None
