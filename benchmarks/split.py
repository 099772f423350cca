"""Split: read, check, render, pack and write 1,000,000 rows of 300 bytes, compared with obvious code and pyarrow.

    python -m benchmarks.split [--quick] [--runs 3]

All contenders write the same create bodies of at most 100,000 requests, and a file of the rows beside them. The obvious
code is fast with its prompt as an f-string in the program; a recipe needs the Jinja variant.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.findings import begin, scratch
from benchmarks.measure import Contender, Work
from benchmarks.reviews import COLUMNS, PROMPT, RECIPE, write_reviews

MODULE = "benchmarks.split"
JOB = "20261122T120000-0123456789"
SHARD_ROWS = 100_000
LABELS = {
    "ours": "batchdrop: split_upload",
    "naive_jinja": "csv.DictReader or json, Jinja, dicts, json.dumps",
    "naive": "the same, the prompt an f-string",
    "pyarrow": "pyarrow's CSV or JSON blocks, prebuilt segments",
}
Row = dict[str, Any]


def ours(folder: str, kind: str) -> Work:
    """Return the real use case, on a bucket in a folder."""
    from batchdrop.adapters.aws.clock import InvocationClock
    from batchdrop.adapters.formats.choice import FileFormats
    from batchdrop.job.manifest import UploadRecord
    from batchdrop.requests.sharding import ShardLimits
    from batchdrop.split.split_upload import split_upload
    from benchmarks.folder_store import FolderStore

    _clear(folder)
    store, key = FolderStore(Path(folder)), f"inbox/r/f.{kind}"
    upload = UploadRecord(JOB, "bucket", key, "etag", store.size(key), datetime.now(UTC))
    clock = InvocationClock(lambda: 900_000)

    def work() -> dict[str, Any]:
        done = split_upload(
            upload, store=store, clock=clock, formats=FileFormats(), limits=ShardLimits(), time_reserve=60
        )
        return {"rows": done.rows, "shards": done.shards}

    return work


def naive_jinja(folder: str, kind: str) -> Work:
    """Return the obvious code, for any prompt."""
    import jinja2

    return _naive(folder, kind, jinja2.Template(PROMPT.replace("{}", "{{ text }}")).render)


def naive(folder: str, kind: str) -> Work:
    """Return the obvious code, for this one prompt."""
    return _naive(folder, kind, lambda row: PROMPT.format(row["text"]))


def _naive(folder: str, kind: str, render: Callable[[Row], str]) -> Work:
    _clear(folder)

    def work() -> dict[str, Any]:
        with (Path(folder) / f"inbox/r/f.{kind}").open(encoding="utf-8", newline="") as file:
            rows: Iterator[Row] = csv.DictReader(file) if kind == "csv" else map(json.loads, file)
            return _write_naive(Path(folder), rows, render)

    return work


def _write_naive(folder: Path, rows: Iterator[Row], render: Callable[[Row], str]) -> dict[str, Any]:
    count = shard = 0
    while taken := list(islice(rows, SHARD_ROWS)):
        requests = []
        for index, row in enumerate(taken):
            text = render(row)
            if not text.strip():
                raise ValueError(f"row {count + index + 1} is blank")
            messages = [{"role": "user", "content": text}]
            params = {"model": "claude-haiku-5-5", "max_tokens": 64, "messages": messages}
            requests.append({"custom_id": f"{JOB}-{shard:05d}-{index:06d}", "params": params})
        body, beside = _shard_files(folder, shard)
        body.write_text(json.dumps({"requests": requests}), encoding="utf-8")
        beside.write_text("".join(json.dumps(row) + "\n" for row in taken), encoding="utf-8")
        count += len(taken)
        shard += 1
    return {"rows": count, "shards": shard}


def pyarrow(folder: str, kind: str) -> Work:
    """Return pyarrow's reader with prebuilt segments. It keeps the cells, but neither the rows' own text nor places."""
    import msgspec
    import pyarrow as pa

    _clear(folder)
    pa.set_cpu_count(1)
    path = Path(folder) / f"inbox/r/f.{kind}"

    def work() -> dict[str, Any]:
        encode = msgspec.json.Encoder().encode
        head = b'","params":{"model":"claude-haiku-5-5","max_tokens":64,"messages":[{"role":"user","content":'
        rows = (row for block in _arrow_blocks(path) for row in zip(*(column.to_pylist() for column in block)))  # noqa: B905 - columns of one block
        count = shard = 0
        while taken := list(islice(rows, SHARD_ROWS)):
            body, beside = _shard_files(Path(folder), shard)
            with body.open("wb") as requests, beside.open("wb") as kept:
                requests.write(b'{"requests":[\n')
                for index, cells in enumerate(taken):
                    line = b'%b{"custom_id":"%b-%05d-%06d%b%b}]}}' % (
                        b",\n" if index else b"", JOB.encode(), shard, index, head, encode(PROMPT.format(cells[1]))
                    )  # fmt: skip
                    requests.write(line)
                    kept.write(encode(cells) + b"\n")
                requests.write(b"\n]}")
            count += len(taken)
            shard += 1
        return {"rows": count, "shards": shard}

    return work


def _arrow_blocks(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import json as arrow_json

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    if path.suffix == ".csv":
        read = arrow_csv.ReadOptions(use_threads=False)
        parse = arrow_csv.ParseOptions(newlines_in_values=True)
        convert = arrow_csv.ConvertOptions(column_types=schema, strings_can_be_null=False)
        return arrow_csv.open_csv(path, read, parse, convert)
    parse_json = arrow_json.ParseOptions(explicit_schema=schema)
    return arrow_json.open_json(path, arrow_json.ReadOptions(use_threads=False), parse_json)


def _clear(folder: str) -> None:
    """Delete the files of an earlier run: a job that is already split is not split again."""
    shutil.rmtree(Path(folder) / "jobs", ignore_errors=True)


def _shard_files(folder: Path, shard: int) -> tuple[Path, Path]:
    shards = folder / "jobs" / JOB / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    return shards / f"{shard:05d}.requests.json", shards / f"{shard:05d}.rows.jsonl"


CONTENDERS: dict[str, Contender] = {"ours": ours, "naive_jinja": naive_jinja, "naive": naive, "pyarrow": pyarrow}


def lay(folder: Path, kind: str, rows: int, *, size: int = 300) -> None:
    """Put an upload and its recipe into a bucket."""
    upload = folder / "inbox" / "r" / f"f.{kind}"
    upload.parent.mkdir(parents=True, exist_ok=True)
    (folder / "recipes").mkdir(exist_ok=True)
    recipe = f"{RECIPE}pilot: false\n"  # else the first shard is one row, and the obvious code has none
    (folder / "recipes" / "r.yaml").write_text(recipe, encoding="utf-8")
    write_reviews(upload, rows, size=size)


def bodies(folder: Path) -> str:
    """Return a digest of all create bodies, independent of their white space."""
    digest = hashlib.sha256()
    for path in sorted((folder / "jobs" / JOB / "shards").glob("*.requests.json")):
        digest.update(json.dumps(json.loads(path.read_bytes()), sort_keys=True).encode())
    return digest.hexdigest()


def main() -> int:
    """Measure both formats, and a tenth of the rows for the growth of memory."""
    found = begin("split", "Split 1,000,000 rows of 300 bytes: read, check, render, pack, write")
    rows = found.of_scale(full=1_000_000, quick=100_000, smoke=1_000)
    for kind in ("csv", "jsonl"):
        with scratch() as folder:
            lay(folder, kind, rows)
            figures = found.compare(f"{kind}, {rows:,} rows", MODULE, LABELS, folder=str(folder), kind=kind)
        with scratch() as folder:
            lay(folder, kind, rows // 10)
            small = found.compare(
                f"{kind}, {rows // 10:,} rows", MODULE, {"ours": LABELS["ours"]}, folder=str(folder), kind=kind
            )["ours"]
        mine = figures["ours"]
        found.bar(f"{kind}: CPU of the obvious code / ours", figures["naive_jinja"]["cpu_s"] / mine["cpu_s"], 3)
        found.bar(f"{kind}: peak RSS, MB", mine["peak_rss_mb"], 220, is_most=True)
        growth = mine["peak_rss_mb"] / small["peak_rss_mb"]
        found.bar(f"{kind}: peak RSS / that of a tenth of the rows", growth, 1.1, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
