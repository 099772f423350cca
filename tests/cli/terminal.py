"""A command in a pseudo-terminal: what a person at a screen of that size sees, and may type."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CTRL_C = b"\x03"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Seen:
    """All that the terminal got, and the command's exit code."""

    raw: str
    exit_code: int

    @property
    def text(self) -> str:
        """What can be read of it: every frame of a live picture, one behind the other."""
        return _CONTROL.sub("", self.raw).replace("\r", "")

    @property
    def has_colour(self) -> bool:
        """Whether anything but bold and the like was asked for."""
        return any(re.search(r"[\[;]3\d", found) for found in _COLOUR.findall(self.raw))


def in_terminal(
    words: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    columns: int = 100,
    interrupt_at: str | None = None,
    answers: tuple[str, str] | None = None,
    seconds: float = 200.0,
) -> Seen:
    """Run a command to its end on a terminal of its own; press Ctrl-C as soon as it shows `interrupt_at`.

    `answers` are a text to wait for, and what is typed then.
    """
    types = (interrupt_at.encode(), CTRL_C) if interrupt_at else None
    types = (answers[0].encode(), answers[1].encode()) if answers else types
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=folder,
        env={**environment, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # So that Ctrl-C is a signal, as in a shell; one system call, and no thread is waited for.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - see above
    )
    os.close(theirs)
    try:
        return Seen(_read(ours, types, time.monotonic() + seconds), process.wait(seconds))
    finally:
        process.kill()
        os.close(ours)


def _read(terminal: int, types: tuple[bytes, bytes] | None, deadline: float) -> str:
    seen = b""
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"the command did not end; it showed {seen.decode(errors='replace')!r}"
        try:
            block = os.read(terminal, 65536)
        except OSError:  # EIO: the other end is closed
            block = b""
        if not block:
            return seen.decode(errors="replace")
        seen += block
        if types and types[0] in seen:
            os.write(terminal, types[1])
            types = None
