"""Peak memory of split_upload for large files of every streamed kind, each in a separate process.

    python -m benchmarks.split_memory [--megabytes 1000] [--folder DIR] [kind ...]

It prints one line per kind and writes benchmarks/results/split_memory.json. The bucket is a folder; shards are written
in parts like to S3, so that the function's own buffers count, too.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.findings import add_scale
from benchmarks.folder_store import FolderStore

BAR_MB = 300
KINDS = ("csv", "jsonl", "csv.gz", "parquet", "json", "xlsx")
RECIPE = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ text }}'\n"
XLSX_ROWS = 200_000  # a workbook of a gigabyte does not fit into Excel's rows


def rows(megabytes: int) -> Iterator[tuple[str, str, str]]:
    """Yield rows of about 300 bytes, of words that compress like text."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnop最高", k=chance.randint(2, 8))) for _ in range(20_000)]
    for number in range(megabytes * 1_000_000 // 300):
        yield f"{number:08d}", " ".join(chance.choices(words, k=45)), "note"


def write_csv(path: Path, megabytes: int, opened: Callable[..., object] = open) -> None:
    """Write a CSV file."""
    with opened(path, "wt", encoding="utf-8") as file:  # type: ignore[attr-defined] # open or gzip.open
        file.write("id,text,note\n")
        file.writelines(f'{one},"{text}",{note}\n' for one, text, note in rows(megabytes))


def write_file(kind: str, path: Path, megabytes: int) -> None:
    """Write a file of one kind."""
    match kind:
        case "csv":
            write_csv(path, megabytes)
        case "csv.gz":
            write_csv(path, megabytes, gzip.open)
        case "jsonl" | "json":
            first, between, last = ("", "\n", "\n") if kind == "jsonl" else ("[\n", ",\n", "\n]\n")
            with path.open("w", encoding="utf-8") as file:
                file.write(first)
                for number, (one, text, note) in enumerate(rows(megabytes)):
                    file.write((between if number else "") + json.dumps({"id": one, "text": text, "note": note}))
                file.write(last)
        case "parquet":
            write_parquet(path, megabytes)
        case _:
            write_xlsx(path, min(XLSX_ROWS, megabytes * 1_000))


def write_parquet(path: Path, megabytes: int) -> None:
    """Write Parquet without compression, in one row group of a gigabyte: the hardest to read in flat memory."""
    import pyarrow as pa
    from pyarrow import parquet

    names = ("id", "text", "note")
    table = pa.table(dict(zip(names, map(pa.array, zip(*rows(megabytes), strict=True)), strict=True)))
    parquet.write_table(table, path, row_group_size=len(table), compression="none", use_dictionary=False)


def write_xlsx(path: Path, count: int) -> None:
    """Write a workbook with texts of their own in every row."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.append(["id", "text", "note"])
    for row in itertools.islice(rows(1_000), count):
        sheet.append(row)
    book.save(path)


def split(folder: Path, kind: str) -> None:
    """Split one file like a function; print peak RSS in MB, rows and CPU seconds as JSON."""
    from batchdrop.adapters.aws.clock import InvocationClock
    from batchdrop.adapters.formats.choice import FileFormats
    from batchdrop.job.manifest import UploadRecord
    from batchdrop.requests.sharding import ShardLimits
    from batchdrop.split.split_upload import split_upload

    store = FolderStore(folder)
    key = f"inbox/r/f.{kind}"
    upload = UploadRecord("20261122T120000-0123456789", "bucket", key, "etag", store.size(key), datetime.now(UTC))
    clock = InvocationClock(lambda: 900_000)
    began = time.process_time()
    done = split_upload(upload, store=store, clock=clock, formats=FileFormats(), limits=ShardLimits(), time_reserve=60)
    print(json.dumps({"peak_rss_mb": peak_rss_mb(), "rows": done.rows, "cpu_s": round(time.process_time() - began, 1)}))


def peak_rss_mb() -> int:
    """Return this process's peak memory; getrusage would include the parent's."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return round(int(line.split()[1]) / 1024)


def main() -> None:
    """Measure each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=KINDS)
    parser.add_argument("--megabytes", type=int, help="of each file; by default 1,000, with --quick 100")
    parser.add_argument("--folder", type=Path, default=None, help="where the files go while they are needed")
    add_scale(parser)
    parser.add_argument("--split", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.split:
        split(options.folder, options.split)
        return
    megabytes = options.megabytes or {"full": 1_000, "quick": 100, "smoke": 1}[options.scale]
    results = {kind: measured(kind, megabytes, options.folder) for kind in options.kinds}
    if options.scale == "smoke":
        return
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "megabytes": megabytes,
        "bar_mb": BAR_MB,
        "kinds": results,
    }
    Path("benchmarks/results/split_memory.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measured(kind: str, megabytes: int, parent: Path | None) -> dict[str, float]:
    """Write one file, split it in a separate process, and print the result."""
    folder = Path(tempfile.mkdtemp(prefix="split-memory-", dir=parent))
    try:
        file = folder / "inbox" / "r" / f"f.{kind}"
        file.parent.mkdir(parents=True)
        (folder / "recipes").mkdir()
        (folder / "recipes" / "r.yaml").write_text(RECIPE, encoding="utf-8")
        write_file(kind, file, megabytes)
        size = file.stat().st_size / 1e6
        command = [sys.executable, "-m", "benchmarks.split_memory", "--split", kind, "--folder", str(folder)]
        result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    finally:
        shutil.rmtree(folder)
    verdict = "below" if result["peak_rss_mb"] < BAR_MB else "ABOVE"
    print(
        f"{kind:8} {size:7,.0f} MB {result['rows']:>11,} rows  peak {result['peak_rss_mb']:4.0f} MB "
        f"({verdict} {BAR_MB})  {result['cpu_s']:6.1f} s CPU",
        flush=True,
    )
    return {"mb": round(size), **result}


if __name__ == "__main__":
    main()
