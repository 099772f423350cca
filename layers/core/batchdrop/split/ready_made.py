"""Tell whether a file holds ready-made requests, which need no recipe."""

from __future__ import annotations

from contextlib import closing

from batchdrop.job.ports import InputFormat
from batchdrop.ports import Source
from batchdrop.requests.ready_request import ReadyRequest
from batchdrop.requests.row import Cursor

READY_MADE_FORMATS = {"jsonl", "json"}


def is_ready_made(source: Source, reader: InputFormat) -> bool:
    """Return whether the file needs no recipe: its first row is a request. Raises UploadRejected."""
    if reader.name not in READY_MADE_FORMATS:
        return False
    with closing(reader.row_blocks(source, Cursor())) as blocks:
        first = next(blocks, None)
    return first is not None and all(name in first[0].cells for name in ReadyRequest.__struct_fields__)
