"""The real `batchdrop` command in a process of its own, and every process that comes of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.local.polling import eventually

BATCHDROP = Path(sys.executable).with_name("batchdrop")
USERS_OWN = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY",
    "BATCHDROP_EXIT_WITH_PARENT",
    "COLUMNS",
    "FORCE_COLOR",
    "MAKEFLAGS",
    "MAKELEVEL",  # under another make, make names its folder, and with it the test
)


@dataclass
class Command:
    """A started command. What it, and all that comes of it, puts on disk for a while lies in `temp_root`."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def temp_root(self) -> Path:
        """The TMPDIR that the command was given; by it each of its processes is known."""
        return self.folder / "temp"

    @property
    def output(self) -> str:
        """What it has written so far, errors too."""
        return (self.folder / "output.txt").read_text(encoding="utf-8")

    def processes(self, *words: str) -> list[psutil.Process]:
        """Each living process that came of the command and has all these words in its command line."""
        return [one for one in psutil.process_iter() if self._is_ours(one) and _has_words(one, words)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and any(str(self.temp_root) in value for value in process.environ().values())
        except (psutil.Error, OSError):
            return False

    def interrupt(self) -> None:
        """Do as Ctrl-C in a terminal does: SIGINT to the command and to what runs in the foreground with it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, *, seconds: float = 120.0) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(seconds)

    def nothing_is_left(self) -> None:
        """Wait until no process is alive and the stack's directory is gone; AssertionError if that does not come."""
        # Several looks: a process that is being started has no readable environment for a moment.
        eventually(lambda: not any(self.processes() for _ in range(5)), what="the end of every process")
        eventually(lambda: not list(self.temp_root.glob("batchdrop-*")), what="the end of the stack's directory")

    def kill_all(self) -> None:
        """Clean up after a test that failed."""
        for process in self.processes():
            process.kill()
        self.process.wait()


def _has_words(process: psutil.Process, words: Sequence[str]) -> bool:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return all(word in line for word in words)


def start(words: Sequence[str | Path], folder: Path, **environment: str) -> Command:
    """Start a command in `folder`, which it leaves by its outputs only; its own process group, as in a terminal."""
    command = Path(folder)
    (command / "temp").mkdir()
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN}
    with (command / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=folder,
            env=own | {"TMPDIR": str(command / "temp"), "XDG_RUNTIME_DIR": str(command / "temp")} | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Command(process, folder)


def write_example(folder: Path) -> tuple[Path, Path]:
    """A file of five rows, the third one bad, and its recipe; paths relative to `folder`."""
    recipe, file = folder / "ask.yaml", folder / "five rows.csv"
    asks = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ text }}'\nlane: batch\n"
    recipe.write_text(asks, encoding="utf-8")
    file.write_text('id,text\n001,good\n002,"two\nlines"\n003\n004,日本語\n005,🎉\n', encoding="utf-8")
    return file, recipe
