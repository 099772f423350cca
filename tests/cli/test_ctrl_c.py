"""Ctrl-C ends a command with 130 and without a traceback, also before and after its own work."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import BATCHDROP, write_example

FAKE_APP = """
import sys, types
fake = types.ModuleType("batchdrop.cli.main")
exec({app!r}, fake.__dict__)
sys.modules["batchdrop.cli.main"] = fake
from batchdrop.cli.entry import main
main()
"""


def _ended(app: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", FAKE_APP.format(app=app)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_before_the_command_has_its_own_handler() -> None:
    """While the options are built, no framework catches it."""
    ended = _ended("def app(): raise KeyboardInterrupt")
    assert (ended.returncode, ended.stderr) == (130, "")


def test_the_handler_is_set_early() -> None:
    """What is imported before it is small: the program's own modules, and none of `typing`."""
    code = "import sys; known = set(sys.modules); import batchdrop.cli.entry; print(*(set(sys.modules) - known))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "typing" not in ended.stdout.split()
    assert [name for name in ended.stdout.split() if name.startswith("batchdrop")] != []


@pytest.mark.parametrize("command", ["check", "try"])
def test_while_it_works(tmp_path: Path, command: str) -> None:
    """As soon as it has imported its parts, a signal ends it."""
    file, recipe = write_example(tmp_path)
    words: list[str | Path] = [BATCHDROP, command, recipe, file]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        while process.poll() is None and "msgspec" not in maps.read_text(encoding="utf-8", errors="replace"):
            pass
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode in {0, 130}, told
    assert "Traceback" not in told
