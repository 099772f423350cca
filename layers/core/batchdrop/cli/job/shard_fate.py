"""The outcome of a row without results: that of its shard, or of the whole job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchdrop.errors import BudgetReached
from batchdrop.finish.job_summary import CALLED_OFF
from batchdrop.finish.partial_results import was_sent
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.ports import Ledger
from batchdrop.job.sample import SAMPLE_SHARD, has_sample
from batchdrop.ports import ObjectStore
from batchdrop.report.summary import Fault


def fate_of_shard(
    manifest: Manifest, shard: int, faults: Sequence[Fault], store: ObjectStore, ledger: Ledger
) -> dict[str, Any]:
    """Return status and error of a shard's rows without results, as the output has them; empty before the job's end.

    `faults` are the summary's.
    """
    for fault in sorted(faults, key=lambda one: one.shard is None):
        if fault.shard not in {shard, None}:
            continue
        if fault.type in CALLED_OFF:
            status = "not_sent" if _waited_for_approval(manifest, shard, store, ledger) else "canceled"
            return {"status": status, "error": fault.message}
        if fault.type == BudgetReached.__name__:
            return {"status": "over_budget", "error": fault.message}
        return {"status": "failed", "error": f"{fault.type}: {fault.message}"}
    return {}


def _waited_for_approval(manifest: Manifest, shard: int, store: ObjectStore, ledger: Ledger) -> bool:
    """Return whether a shard comes after the job's sample, and no request of it was sent."""
    if not has_sample(manifest) or shard == SAMPLE_SHARD:
        return False
    keys = JobKeys(manifest.upload.job_id)
    has_answers = any(store.keys(keys.live_answers(shard, 0))) or store.exists(keys.answers(shard, 0))
    return not has_answers and not was_sent(keys.job_id, shard, 0, ledger)
