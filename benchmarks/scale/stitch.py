"""The requests to stitch a job's output from its shards' parts, by the adapter's plan."""

from __future__ import annotations

from typing import NamedTuple

from batchdrop.adapters.aws.s3 import COPIES_AT_ONCE
from batchdrop.adapters.aws.s3_stitching import Span, Strip, pieces_of
from benchmarks.scale.job import ScaleJob

HEADER_BYTES = 100  # of the output


class Stitched(NamedTuple):
    """Requests at the price of a put (listings, start and end of the upload, pieces), reads, and bytes to wait for."""

    puts: int
    gets: int
    bytes_waited_for: float


def stitched(job: ScaleJob) -> Stitched:
    """Return the requests to stitch the output; failed.jsonl, of empty parts, is one put."""
    part = Strip(round(job.rows * job.output_bytes / job.shards), is_stored=True)
    pieces = pieces_of([Strip(HEADER_BYTES, is_stored=False), *[part] * job.shards])
    read = [span for piece in pieces if not piece.is_copied for span in piece.spans if span.strip]
    copied = [span for piece in pieces if piece.is_copied for span in piece.spans]
    upload = 1 if len(pieces) == 1 else 2 + len(pieces)
    # Assumed: S3 copies a piece as fast as a function can read it.
    waited_for = _bytes(read) * 2 + _bytes(copied) / COPIES_AT_ONCE
    return Stitched(2 + upload + 1, len(read), waited_for)


def _bytes(spans: list[Span]) -> int:
    return sum(span.end - span.start for span in spans)
