"""Remove forgotten answers from the copies that jobs keep, so that no resume or retry brings one back."""

from __future__ import annotations

from contextlib import closing

from batchdrop.answer_store.forgotten import Forgotten
from batchdrop.cli.forget.jobs import MadeJob
from batchdrop.cli.forget.removed import Forgetting
from batchdrop.finish.recalled import without_forgotten
from batchdrop.job.layout import JobKeys
from batchdrop.ports import Eraser, ObjectStore


def clear_pins(store: ObjectStore, eraser: Eraser, job: MadeJob, forgotten: Forgotten, report: Forgetting) -> None:
    """Rewrite the pins of a job. A line without an answer stands in for each that goes, so the job still adds up."""
    if job.manifest is None or not forgotten:
        return
    for item in job.manifest.shards:
        key = JobKeys(job.job_id).remembered(item.shard)
        if not item.remembered or not store.exists(key):
            continue
        with closing(store.stream(key)) as blocks:
            before = b"".join(blocks)  # at most a shard's answers
        after = b"".join(without_forgotten([before], forgotten))
        if after == before:
            continue
        report.add(key, "answers that the job remembers", objects=1)
        if not report.is_dry:
            store.write(key, after)
            eraser.erase_old(key)
