"""Find the embedded stacks on this machine: each `batchdrop up` leaves a note while it runs.

Thanks to the notes, other commands need no `--endpoint-url`. The note of a killed `up` is recognized by its process and
port, and removed by the next command.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running `batchdrop up`: its process, and the endpoint of its AWS APIs."""

    pid: int
    endpoint_url: str


def notes_folder() -> Path:
    """Return the folder of this user's notes, below XDG_RUNTIME_DIR or the folder for temporary files."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "batchdrop" if runtime else Path(tempfile.gettempdir()) / f"batchdrop-up-{os.getuid()}"


@contextmanager
def noted(endpoint_url: str) -> Iterator[None]:
    """Keep this process's note while the context lasts. If the folder cannot be written, there is no note."""
    folder = notes_folder()
    note = folder / f"{os.getpid()}.json"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(folder):
            fresh = note.with_suffix(".new")
            fresh.write_text(json.dumps(asdict(RunningStack(os.getpid(), endpoint_url))), encoding="utf-8")
            fresh.replace(note)
    try:
        yield
    finally:
        _remove(note)


def running_stacks() -> list[RunningStack]:
    """Return the stacks that answer, oldest note first; stale notes are removed."""
    folder = notes_folder()
    if not _is_own(folder):
        return []
    found = [(note, _read(note)) for note in sorted(folder.glob("*.json"), key=_modified)]
    running = []
    for note, stack in found:
        if stack is not None and _is_alive(stack.pid) and _answers(stack.endpoint_url):
            running.append(stack)
        elif stack is None or not _is_alive(stack.pid):
            _remove(note)
    return running


def _is_own(folder: Path) -> bool:
    """Return whether only this user can write notes there. Notes decide where files are sent."""
    with contextlib.suppress(OSError):
        found = folder.lstat()
        return folder.is_dir() and not folder.is_symlink() and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return False


def _modified(note: Path) -> float:
    with contextlib.suppress(OSError):
        return note.stat().st_mtime
    return 0.0


def _read(note: Path) -> RunningStack | None:
    try:
        fields = json.loads(note.read_text(encoding="utf-8"))
        return RunningStack(int(fields["pid"]), str(fields["endpoint_url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _answers(endpoint_url: str) -> bool:
    url = urlsplit(endpoint_url)
    try:
        with socket.create_connection((url.hostname or "", url.port or 80), timeout=CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _remove(note: Path) -> None:
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)
        note.parent.rmdir()  # fails while there is another note
