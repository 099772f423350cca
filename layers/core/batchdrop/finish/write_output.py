"""Write an output from the shards' parts. If the format allows it, they are stitched inside the bucket."""

from __future__ import annotations

from collections.abc import Sequence

from batchdrop.job.ports import Frame, OutputFormat
from batchdrop.job.stored_source import StoredSource
from batchdrop.ports import Guard, ObjectStore, Source


def write_output(
    output: OutputFormat,
    key: str,
    part_keys: Sequence[str],
    *,
    store: ObjectStore,
    guard: Guard,
    upload: Source | None = None,
) -> None:
    """Write `key` from these parts, in order. `upload` is for formats that change it; None writes a file of its own.

    Raises ObjectMissing, ObjectChanged, and the errors of the guard.
    """
    match output.whole:
        case Frame(before, after):
            store.stitch(key, [before, *part_keys, after], guard=guard)
        case assemble:
            with store.writer(key, guard=guard) as file:
                assemble((StoredSource(store, part) for part in part_keys), file, upload)
