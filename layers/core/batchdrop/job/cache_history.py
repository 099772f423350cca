"""What a recipe's last primed job read from the prompt cache, kept for its next jobs."""

from __future__ import annotations

import msgspec

from batchdrop.job.layout import cache_history
from batchdrop.job.manifest import Manifest
from batchdrop.job.upload import parse_inbox_key
from batchdrop.ports import ObjectMissing, ObjectStore


class CacheHistory(msgspec.Struct, frozen=True):
    """The share of the shared prefix that was read; the rest was written."""

    hits: float


def known_hits(manifest: Manifest, store: ObjectStore) -> float | None:
    """Return the hit rate of this recipe's last primed job; None if there was none."""
    try:
        text = store.read(cache_history(parse_inbox_key(manifest.upload.key).recipe))
        return msgspec.json.decode(text, type=CacheHistory).hits
    except (ObjectMissing, msgspec.DecodeError):
        return None
