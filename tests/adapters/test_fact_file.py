"""The ledger's file keeps each write, also if its writer is killed. Writers take turns."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from batchdrop.adapters.sqlite.fact_file import FactFile
from tests.project import ROOT

# Counts upward, and says each number only when it is written.
WRITER = """
import sys
from pathlib import Path
from batchdrop.adapters.sqlite.fact_file import FactFile
file = FactFile(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    with file.writing() as facts:
        facts.put("job", f"fact#{number:06d}", {"number": number})
        facts.put("job", "last", {"number": number})
    print(number, flush=True)
"""


def _count(file: FactFile, times: int) -> None:
    for _ in range(times):
        with file.writing() as facts:
            known = facts.get("job", "count") or {"number": 0}
            facts.put("job", "count", {"number": known["number"] + 1})


def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL in the middle of the writes: nothing that was told is lost, and no transaction is there by half."""
    for number in range(3):
        path = tmp_path / f"ledger{number}.sqlite"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT / "layers" / "core")},
        )
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(40)][-1]
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines()
        told = int(rest[-1]) if rest and rest[-1].isdigit() else told
        writer.wait()
        with FactFile(path).reading() as facts:
            written = [item["number"] for _, item in facts.beginning("job", "fact#")]
            last = facts.get("job", "last")
        assert last is not None
        assert written == list(range(1, len(written) + 1))
        assert written[-1] == max(written)
        assert len(written) >= told
        assert last["number"] <= len(written)


def test_an_error_undoes_the_writes(tmp_path: Path) -> None:
    """A transaction is whole, or it did not happen."""
    file = FactFile(tmp_path / "ledger.sqlite")

    def broken() -> None:
        with file.writing() as facts:
            facts.put("job", "one", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    with file.reading() as facts:
        assert facts.get("job", "one") is None


def test_writers_take_turns(tmp_path: Path) -> None:
    """Several threads, each with a connection of its own, count without losing a step."""
    file = FactFile(tmp_path / "ledger.sqlite")
    threads = [threading.Thread(target=_count, args=(file, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with file.reading() as facts:
        assert facts.get("job", "count") == {"number": 100}


def test_each_commit_reaches_the_disk(tmp_path: Path) -> None:
    """The settings that a kill, or a power cut, depends on."""
    file = FactFile(tmp_path / "ledger.sqlite")
    with file.reading() as facts:
        connection = facts._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
