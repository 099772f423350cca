"""What a closed job says of its pilot and of the prompt cache."""

from __future__ import annotations

from contextlib import closing

import msgspec

from batchdrop.answers.result_line import FlushedHead
from batchdrop.answers.tokens import Tokens
from batchdrop.job.cache_history import CacheHistory
from batchdrop.job.job_files import answered_rounds
from batchdrop.job.layout import JobKeys, cache_history
from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import PILOT_SHARD, has_pilot, has_primer
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.cache_block import hits_of
from batchdrop.ports import ObjectStore
from batchdrop.report.summary import PilotBlock

LEAST_REQUESTS = 20  # ours: fewer requests say little about a hit rate

_HEAD = msgspec.json.Decoder(FlushedHead)


def pilot_block(manifest: Manifest | None, store: ObjectStore) -> PilotBlock | None:
    """Return what became of the job's pilot; None if it has none."""
    if manifest is None or not has_pilot(manifest):
        return None
    keys, block = JobKeys(manifest.upload.job_id), PilotBlock()
    for round_number in range(answered_rounds(store, manifest.upload.job_id, PILOT_SHARD)):
        with closing(store.stream(keys.answers(PILOT_SHARD, round_number))) as blocks:
            for line in whole_lines(blocks):
                block = _with(line, block)
    return block


def _with(line: bytes, block: PilotBlock) -> PilotBlock:
    try:
        head = _HEAD.decode(line)
    except msgspec.DecodeError:  # a line that a gateway changed
        return block
    if not head.verdict.is_paid:
        return block
    return PilotBlock(is_answered=True, seconds=head.seconds)


def keep_history(manifest: Manifest | None, tokens: list[Tokens], store: ObjectStore) -> None:
    """Store the hit rate of a primed job, for this recipe's next jobs. The primer's own write does not count."""
    if manifest is None or manifest.cache is None or not has_primer(manifest):
        return
    batch = [one for one in tokens if one.lane == "batch" and (one.cache_read or one.cache_write_1h)]
    cached = sum(one.cache_read + one.cache_write_1h for one in batch) / max(1, manifest.cache.prefix_tokens)
    if cached < LEAST_REQUESTS:
        return
    others = [one.like() for one in batch]
    for other, one in zip(others, batch, strict=True):
        other.cache_read, other.cache_write_1h = one.cache_read, one.cache_write_1h
    others[0].cache_write_1h = max(0, others[0].cache_write_1h - manifest.cache.prefix_tokens)
    hits = hits_of(others)
    if hits is not None:
        key = cache_history(parse_inbox_key(manifest.upload.key).recipe)
        store.write(key, msgspec.json.encode(CacheHistory(hits)))
