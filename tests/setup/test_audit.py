"""`make audit`, with a program in the place of pip-audit, which needs a network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

LOCKS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("layers/*/requirements.txt", "requirements.lock", "tools/*/requirements.lock")
    for path in ROOT.glob(pattern)
)


def _audit(folder: Path, script: str) -> tuple[int, list[str]]:
    """Run it; return its exit code, and with which options it was asked."""
    asked, program = folder / "asked", folder / "pip-audit"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n{script}\n', encoding="utf-8")
    program.chmod(0o755)
    make = ["make", "--old-file=setup", f"--old-file={program}", f"AUDIT={program}", "audit"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, asked.read_text(encoding="utf-8").splitlines()


def test_every_lock_is_audited(tmp_path: Path) -> None:
    """What is shipped, what runs here, and the tools."""
    code, asked = _audit(tmp_path, "exit 0")
    assert (code, sorted(line.split()[-1] for line in asked)) == (0, LOCKS)
    assert len(LOCKS) >= 7


def test_no_answer_is_no_good_answer(tmp_path: Path) -> None:
    """pip-audit skips what it cannot look up, and says that all is well, unless it is told to be strict."""
    _, asked = _audit(tmp_path, "exit 0")
    assert all("--strict" in line.split() for line in asked)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_finding_in_any_lock_fails_it(lock: str, tmp_path: Path) -> None:
    """The others are audited all the same."""
    code, asked = _audit(tmp_path, f'case "$*" in *" {lock}") exit 1;; esac')
    assert (code, len(asked)) == (2, len(LOCKS))
