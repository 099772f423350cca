"""`make demo-saver`: the search, the certificate, the page, and the certified job on the embedded stack."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import USERS_OWN
from tests.project import ROOT
from tools.demo_saver import ROWS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

SAMPLE, TWICE = 300, 200


def test_the_whole_path_ends_with_the_page(tmp_path: Path) -> None:
    """Each row is paid once with the certified model; the rest of the bill is the reference's sample, and its twice."""
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN}
    more = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tools.demo_saver"]
    ended = subprocess.run(command, cwd=tmp_path, env=own | more, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "claude-haiku-5-5 agrees with the reference on at least 95.0 % of rows" in ended.stdout
    assert f"requests that the emulator billed: {ROWS + SAMPLE + TWICE:,}, for {ROWS:,} rows" in ended.stdout
    folder = tmp_path / "out" / "demo-saver"
    assert "A cheaper model is certified" in (folder / "save.html").read_text(encoding="utf-8")
    [output] = folder.glob("*/output.csv")
    with output.open(encoding="utf-8", newline="") as file:
        statuses = [row["_status"] for row in csv.DictReader(file)]
    assert (statuses.count("remembered"), statuses.count("answered")) == (SAMPLE, ROWS - SAMPLE)
