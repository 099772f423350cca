"""The folder of a run against a real API, `out/run-<digest>/`: what the run needs to go on after any end.

The digest is of everything that decides what is sent: the file, the recipe and what belongs to it, the options and the
service's address. The API key is not part of it, and is nowhere in the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil

from batchdrop.cli.console import UNDECIDED, CommandError
from batchdrop.local.state_folder import StateFolder

DIGEST_BYTES = 6
ENDING_SECONDS = 30.0  # the stack of a killed command ends within a second or two
LOOK_SECONDS = 0.1
LOCK = "lock"
NOTE = "run.json"


class RunBusyError(CommandError):
    """Another process runs this; the message says which."""

    exit_code = UNDECIDED


@dataclass(frozen=True)
class RunFolder:
    """One folder of state, which one command at a time may use."""

    path: Path

    @property
    def state(self) -> StateFolder:
        """Return the state of the stack."""
        return StateFolder(self.path)

    @property
    def logs(self) -> Path:
        """Return the folder of the stack's logs."""
        return self.path / "logs"

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder; yield the lock's file descriptor. Raises RunBusyError if another process holds it.

        The stack's processes inherit the descriptor. So the folder stays locked until the last of them has ended, also
        if this process is killed.
        """
        lock = self._opened()
        try:
            self._take(lock)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            self.state.prepare()
            yield lock
        finally:
            os.close(lock)

    def _opened(self) -> int:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _take(self, lock: int) -> None:
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_current(lock):
                    return
                raise RunBusyError(f"another process has just finished in {self.path}; run this again")
            owner = os.pread(lock, 32, 0).decode(errors="replace")
            if owner.isdecimal() and _is_alive(int(owner)):
                raise RunBusyError(f"process {owner} uses {self.path} now. Wait until it ends, or stop it")
            if time.monotonic() > deadline:
                message = f"processes of an earlier command still use {self.path}; end them, then run this again"
                raise RunBusyError(message)
            time.sleep(LOOK_SECONDS)

    def _is_current(self, lock: int) -> bool:
        """Return whether the folder still has this lock: the last owner may have removed the folder."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(lock), (self.path / LOCK).stat())
        return False

    def next_resume(self) -> int:
        """Count one more resume; return how many there were before. The count is on disk when this returns."""
        before = self._resumes()
        fresh = self.path / f"{NOTE}.new"
        with fresh.open("w", encoding="utf-8") as note:
            json.dump({"resumes": before + 1}, note)
            note.flush()
            os.fsync(note.fileno())
        fresh.replace(self.path / NOTE)
        return before

    def _resumes(self) -> int:
        try:
            return int(json.loads((self.path / NOTE).read_text(encoding="utf-8"))["resumes"])
        except FileNotFoundError:
            return 0

    def remove(self) -> None:
        """Remove the folder: nothing in it is needed any more."""
        shutil.rmtree(self.path, ignore_errors=True)

    def set_aside(self) -> Path:
        """Rename the folder, so that a new run can begin; return its new path."""
        free = next(
            path
            for number in count(1)
            if not (path := self.path.with_name(f"{self.path.name}-abandoned-{number}")).exists()
        )
        self.path.rename(free)
        return free


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def digest(uploads: list[tuple[Path, str]], *options: str) -> str:
    """Return the digest of the files, each with its key, and of the options."""
    whole = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for option in options:
        whole.update(option.encode() + b"\0")
    for path, key in uploads:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, hashlib.blake2b).digest()
        whole.update(key.encode() + b"\0" + content)
    return whole.hexdigest()
