"""Large outputs: S3 puts them together from the shards' parts, and they do not pass through the function."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.adapters.aws.s3_stitching import MIN_PIECE_BYTES, Strip, pieces_of
from batchdrop.ports import ObjectChanged
from tests.end_to_end.bench import Bench
from tests.end_to_end.conftest import SHARD_ROWS

pytestmark = pytest.mark.stack

WIDE = 2 * MIN_PIECE_BYTES // SHARD_ROWS  # characters of a cell, so that a whole shard's part is two pieces long
OWN = [[str(number), f"text {number}", f"{number:04d}" * (WIDE // 4)] for number in range(2 * SHARD_ROWS + 1)]


def test_a_large_output_is_stitched(bench: Bench) -> None:
    """Two large parts are copied, the header and the small last part are sent; every row comes back as it was."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([["id", "text", "note"], *OWN])
    job = bench.run("inbox/ask/wide.csv", written.getvalue().encode())
    assert job.status == "SUCCEEDED"
    csv.field_size_limit(WIDE + 1)
    header, *rows = job.table
    assert header == ["id", "text", "note", "answer", "_status", "_error"]
    assert [row[:3] for row in rows] == OWN
    assert {row[4] for row in rows} == {"answered"}
    header_end = job.files["output.csv"].index(b"\n") + 1
    parts = [key for key in bench.keys(f"jobs/{job.job_id}/parts/") if key.endswith(".csv")]
    sizes = [bench.s3.head_object(Bucket=bench.stack.bucket, Key=key)["ContentLength"] for key in parts]
    pieces = pieces_of([Strip(header_end, is_stored=False), *(Strip(size, is_stored=True) for size in sizes)])
    assert [piece.is_copied for piece in pieces] == [False, True, True, False]
    stored: Any = bench.s3.get_object_attributes(
        Bucket=bench.stack.bucket,
        Key=f"{job.summary['results']}output.csv",
        ObjectAttributes=["ObjectParts", "ObjectSize"],
    )
    assert stored["ObjectParts"]["TotalPartsCount"] == len(pieces)
    assert stored["ObjectSize"] == header_end + sum(sizes)


def test_a_part_that_is_replaced_is_not_copied(bench: Bench) -> None:
    """The condition on a copy's source is S3's own to hold: moto, which the contract tests use, does not look at it."""
    s3, bucket = bench.stack.clients.s3(), bench.stack.bucket
    store = S3ObjectStore(s3, bucket)
    store.write("jobs/stitching/part", bytes(2 * MIN_PIECE_BYTES))
    s3.meta.events.register(
        "provide-client-params.s3.UploadPartCopy",
        lambda **_: store.write("jobs/stitching/part", b"1" * 2 * MIN_PIECE_BYTES),
    )
    with pytest.raises(ObjectChanged, match="jobs/stitching/part"):
        store.stitch("jobs/stitching/whole", ["jobs/stitching/part"])
    assert not store.exists("jobs/stitching/whole")
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
