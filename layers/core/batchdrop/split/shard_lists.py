"""Save a split: the manifest, and the lists of shards that the state machine's Map reads."""

from __future__ import annotations

import msgspec

from batchdrop.job.job_files import write_manifest
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, MapItem
from batchdrop.job.pilot import PILOT_SHARD, PRIMER_SHARD, PROBE_SHARD, Asks, has_pilot, has_probe
from batchdrop.job.sample import SAMPLE_SHARD, has_sample, lane_of_shard
from batchdrop.ports import ObjectStore
from batchdrop.split.cache_decision import decide_for_shards


def first_list(manifest: Manifest, store: ObjectStore, *, is_resumed: bool) -> Asks:
    """Return the list of shards to send first. A resumed job sends a pilot only if it has no answers yet."""
    if has_sample(manifest):
        return "sample"
    if not has_pilot(manifest):
        return "shards"
    is_answered = store.exists(JobKeys(manifest.upload.job_id).answers(PILOT_SHARD, 0))
    return "shards" if is_answered and is_resumed else "pilot"


def save_split(manifest: Manifest, store: ObjectStore, live_rows: int) -> None:
    """Write the manifest; at the end of the file, write the Map's items before it."""
    if manifest.cursor is None:
        decide_for_shards(manifest, store)
        total = len(manifest.shards)
        items = [
            MapItem(item.shard, total, item.requests, lane_of_shard(manifest, item.shard, live_rows=live_rows))
            for item in manifest.shards
        ]
        keys = JobKeys(manifest.upload.job_id)
        store.write(keys.shards, msgspec.json.encode(items))
        if manifest.starts_empty:  # round 0 sends nothing; collecting it plans the first round
            for item in manifest.shards:
                store.write(keys.answers(item.shard, 0), b"")
        if has_sample(manifest):
            store.write(keys.sample, msgspec.json.encode(items[SAMPLE_SHARD : SAMPLE_SHARD + 1]))
        if has_pilot(manifest):
            store.write(keys.pilot, msgspec.json.encode([items[PILOT_SHARD]]))
        if has_probe(manifest):
            store.write(keys.primer, msgspec.json.encode([items[PRIMER_SHARD]]))
            store.write(keys.probe, msgspec.json.encode([items[PROBE_SHARD]]))
    write_manifest(store, manifest)
