"""Each benchmark runs at this commit: its smoke size takes some seconds, and writes no figures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project import ROOT

BESIDE = {"table", "batches_server", "console_server", "fast_server", "live_contenders"}  # they are parts of benchmarks
BENCHMARKS = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in (ROOT / "benchmarks").rglob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and path.stem not in BESIDE
)
RESULTS = ROOT / "benchmarks" / "results"


def test_every_benchmark_is_known() -> None:
    """The list above finds those that README and docs take their figures from."""
    names = {name.removeprefix("benchmarks.") for name in BENCHMARKS}
    assert names >= {"split", "submit", "collect", "stitch", "cold_start", "small_job", "whole_job", "live_lane"}
    assert names >= {"live_fleet", "live_storms", "split_memory", "estimate_error", "scale.model"}


@pytest.mark.stack
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs(name: str) -> None:
    """The command ends well, prints figures, and leaves the kept results as they are."""
    kept = {path.name: path.read_bytes() for path in RESULTS.iterdir()}
    command = [sys.executable, "-m", name, "--smoke"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.strip()
    assert {path.name: path.read_bytes() for path in RESULTS.iterdir()} == kept
