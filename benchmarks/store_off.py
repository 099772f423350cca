"""The CPU of a job without `remember`, compared with the code before the answer store existed.

    python -m benchmarks.store_off [--quick] [--runs 5]

The older code comes from the repository's history, so this needs a clone with it. Both run their own split and collect
of the same file, in turns.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from benchmarks.batches_server import batches_server
from benchmarks.collect import lay_results
from benchmarks.findings import Findings, begin, scratch
from benchmarks.measure import ROOT, Figures, apart_in, median
from benchmarks.split import lay

BEFORE = "1fa73050"  # the last commit without the store
MOST = 1.10
RESULT_BYTES = 700


def older_code(folder: Path) -> Path | None:
    """Write the older code into a folder; return None if the history does not have it."""
    asked = ("git", "-C", str(ROOT), "archive", BEFORE, "layers/core", "benchmarks")
    archive = subprocess.run(asked, capture_output=True, check=False)
    if archive.returncode:
        return None
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def compare(found: Findings, case: str, module: str, folders: dict[Path, Path], **arguments: str) -> None:
    """Measure both, each in its own folder, and set the bar. The older code comes first in `folders`."""
    samples: dict[Path, list[Figures]] = {root: [] for root in folders}
    for _ in range(found.runs):
        for root, taken in samples.items():
            taken.append(apart_in(root, module, "ours", folder=str(folders[root]), **arguments))
    before, now = (median(taken) for taken in samples.values())
    found.line(case, "before the answer store", before)
    found.line(case, "now, without `remember`", now)
    found.bar(f"{case}: CPU now / before", now["cpu_s"] / before["cpu_s"], MOST, is_most=True)


def main() -> int:
    """Measure split and collect."""
    found = begin("store_off", "A job without `remember`, and the code before the answer store", runs=5)
    rows = found.of_scale(full=100_000, quick=20_000, smoke=200)
    with scratch() as code, scratch() as folder:
        older = older_code(code)
        if older is None:
            print(f"the history does not have {BEFORE}: nothing to compare with")
            return 0
        folders = {older: folder / "before", ROOT: folder / "now"}
        for own in folders.values():
            lay(own, "csv", rows)
        compare(found, f"split {rows:,} rows", "benchmarks.split", folders, kind="csv")
        lay_results(folder / "results.jsonl", rows, RESULT_BYTES)
        with batches_server(folder / "results.jsonl") as url:
            compare(found, f"collect {rows:,} results", "benchmarks.collect", folders, url=url)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
