"""Stitch the output from parts that S3 copies inside the bucket, compared with reading and writing every byte.

    python -m benchmarks.stitch [--quick] [--runs 3]

S3 is moto's server in another process, so CPU, memory and bytes are the function's. The wall time is mostly the
server's, which is neither as far away nor as fast as S3.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from batchdrop.ports import ObjectStore
from benchmarks.findings import Findings, begin
from benchmarks.measure import Contender, Figures, Work, apart, median

MODULE = "benchmarks.stitch"
BUCKET, OUTPUT = "bench", "output.csv"
HEADER = b"id,text,answer,_status,_error\n"
MB = 1_000_000
THROUGH = "MB through the function"
LABELS = {"ours": "batchdrop: stitched inside the bucket", "streamed": "every part through the function"}
CASES = {  # sizes of the parts
    "16 parts of 32 MB": [32 * MB] * 16,
    "16 of 32 MB, small ones between": [32 * MB, 100_000] * 16,
    "256 parts of 1 MB": [MB] * 256,
}
LARGE = "16 parts of 32 MB"
TWO_WAYS = 2 * 5.3  # MB: the piece with the header is read and sent


def ours(url: str, parts: list[str]) -> Work:
    """Return the current close_job's work for a text output."""
    store, through = _store(url)

    def work() -> dict[str, Any]:
        store.stitch(OUTPUT, [HEADER, *parts, b""])
        return {"through_mb": through(), "bytes": store.size(OUTPUT)}

    return work


def streamed(url: str, parts: list[str]) -> Work:
    """Return the former close_job's work: each part is read and sent again, in flat memory."""
    store, through = _store(url)

    def work() -> dict[str, Any]:
        with store.writer(OUTPUT) as file:
            file.write(HEADER)
            for part in parts:
                for block in store.stream(part):
                    file.write(block)
        return {"through_mb": through(), "bytes": store.size(OUTPUT)}

    return work


CONTENDERS: dict[str, Contender] = {"ours": ours, "streamed": streamed}


def _client(url: str) -> Any:
    import boto3
    from botocore.config import Config

    keys: dict[str, Any] = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=url, config=Config(retries={"mode": "standard"}), **keys)


def _store(url: str) -> tuple[ObjectStore, Callable[[], float]]:
    """Return the bucket, and a function for the MB of bodies sent and received since."""
    from batchdrop.adapters.aws.s3 import S3ObjectStore

    client, count = _client(url), 0
    store = S3ObjectStore(client, BUCKET)
    store.exists(OUTPUT)  # connects, like a function that has read the tallies

    def went(params: dict[str, Any], **_: Any) -> None:
        nonlocal count
        count += len(params.get("Body") or b"")

    def came(parsed: dict[str, Any], **_: Any) -> None:
        nonlocal count
        count += int(parsed["ContentLength"])

    client.meta.events.register("provide-client-params.s3", went)
    client.meta.events.register("after-call.s3.GetObject", came)
    return store, lambda: round(count / MB, 1)


def _lay(url: str, sizes: list[int]) -> list[str]:
    """Write parts of these sizes; return their keys."""
    client = _client(url)
    client.create_bucket(Bucket=BUCKET)
    keys = [f"parts/{number:05d}" for number in range(len(sizes))]
    for key, size in zip(keys, sizes, strict=True):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789" * (size // 10))
    return keys


@contextmanager
def _server() -> Iterator[str]:
    """Run an S3; yield its URL."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def _measure(found: Findings, case: str, sizes: list[int]) -> dict[str, Figures]:
    """Run both in turns, so that a noisy minute affects both; return their medians."""
    samples: dict[str, list[Figures]] = {name: [] for name in LABELS}
    with _server() as url:
        parts = _lay(url, sizes)
        for _ in range(found.runs):
            for name, taken in samples.items():
                taken.append(apart(MODULE, name, url=url, parts=parts))
    figures = {name: median(taken) for name, taken in samples.items()}
    for name, one in figures.items():
        if one["facts"]["bytes"] != len(HEADER) + sum(sizes):
            raise RuntimeError(f"{case}: {LABELS[name]}: {one['facts']['bytes']} bytes")
        one[THROUGH] = one["facts"]["through_mb"]
        found.line(case, LABELS[name], one)
    return figures


def main() -> int:
    """Measure all cases."""
    found = begin("stitch", "Stitching the output from the shards' parts")
    measured = {
        case: _measure(found, case, sizes[: len(sizes) // found.of_scale(full=1, quick=4, smoke=len(sizes))])
        for case, sizes in CASES.items()
    }
    large = measured[LARGE]
    found.bar("CPU of streaming / of stitching", large["streamed"]["cpu_s"] / large["ours"]["cpu_s"], 5)
    found.bar("MB through the function, large parts", large["ours"][THROUGH], TWO_WAYS, is_most=True)
    found.bar("growth, MB", max(one["ours"]["grown_mb"] for one in measured.values()), 40, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
