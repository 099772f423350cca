"""Give a shard's remembered answers to its index, before those of its rounds."""

from __future__ import annotations

from contextlib import closing

from batchdrop.errors import InvariantBroken
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.ports import ObjectStore


def recall(index: AnswerIndex, item: ShardItem, keys: JobKeys, store: ObjectStore) -> None:
    """Read the shard's pins. Raises InvariantBroken if one is missing."""
    if not item.remembered:
        return
    with closing(store.stream(keys.remembered(item.shard))) as blocks:
        found = index.recall(blocks)
    if found != item.remembered:
        message = f"shard {item.shard}: {item.remembered} rows are remembered, and {found} answers are kept"
        raise InvariantBroken(message)
