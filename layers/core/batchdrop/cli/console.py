"""A command's output: text for people, or one JSON document for programs.

With `--json`, stdout holds only JSON; progress goes to stderr if that is a terminal. An error is one line on stderr:
`Error: …`, or with `--json` `{"error": {"type": …, "message": …}}`. Exit codes: 0 success, 1 failure, 2 wrong usage,
3 a decision is missing (go on with an unfinished run, or start again), 4 too many rows failed (--max-failed), 130
Ctrl-C.
"""

from __future__ import annotations

import errno
import json
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

FAILED = 1
USAGE_ERROR = 2
UNDECIDED = 3
INTERRUPTED = 130


class CommandError(Exception):
    """A command failed; the message says what is wrong, where, and what to do."""

    exit_code = FAILED


@dataclass(frozen=True)
class CommandOutput:
    """Where a command's output goes, and in which form."""

    json: bool = False

    @cached_property
    def console(self) -> Console:
        """Return the console for people: stdout; with `--json` stderr, silent if that is not a terminal."""
        from batchdrop.cli.safe_console import SafeConsole

        return SafeConsole(stderr=True, quiet=not sys.stderr.isatty()) if self.json else SafeConsole()

    def document(self, value: Any) -> None:
        """Write a value as the command's only JSON document."""
        typer.echo(_encoded(value, indent=2))

    def line(self, value: Any) -> None:
        """Write a value as one of several JSON lines."""
        typer.echo(_encoded(value, indent=0))

    def fail(self, error: Exception, code: int = FAILED) -> typer.Exit:
        """Write an error to stderr; return the exit to raise."""
        message = "\n  ".join(" ".join(fault.split()) for fault in str(error).split("\n  "))
        if self.json:
            body = {"error": {"type": type(error).__name__, "message": message}}
            typer.echo(json.dumps(body, ensure_ascii=False), err=True)
        else:
            from batchdrop.cli.safe_console import printable

            typer.echo(f"Error: {printable(message)}", err=True)
        return typer.Exit(code)

    @contextmanager
    def reporting_errors(self) -> Iterator[None]:
        """Run a command's work. Known errors become one line on stderr and an exit code."""
        try:
            yield
        except CommandError as error:
            raise self.fail(error, error.exit_code) from error
        except Exception as error:
            known = known_error(error)
            if known is None:
                raise
            raise self.fail(known) from error


def open_report(folder: Path) -> None:
    """Open a job's report in the user's browser; nothing happens without a report, or without a browser."""
    report = folder / "report.html"
    if report.is_file():
        webbrowser.open(report.resolve().as_uri())


def usage_error(message: str) -> NoReturn:
    """Write what is wrong with the options, and end the command."""
    from batchdrop.cli.safe_console import printable

    typer.echo(f"Error: {printable(message)}", err=True)
    raise typer.Exit(USAGE_ERROR)


def known_error(error: Exception) -> Exception | None:
    """Return an error of a job, of AWS or of the embedded stack with a readable message; None for our own bugs.

    The modules of these errors are looked up, not imported: only a command that used them can have raised one.
    """
    if "batchdrop.errors" in sys.modules:
        from batchdrop.errors import BatchdropError

        if isinstance(error, BatchdropError):
            return error
    if "botocore.exceptions" in sys.modules:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError | BotoCoreError):
            return CommandError(f"AWS: {error}. `batchdrop doctor` checks credentials and the stack")
    if isinstance(error, OSError) and (error.errno in _ADVICE or error.filename is not None):
        where = f"{error.filename}: " if error.filename is not None else ""
        advice = _ADVICE.get(error.errno or 0, "check the path, and that you may use it")
        return CommandError(f"{where}{(error.strerror or str(error)).lower()}; {advice}")
    if "batchdrop.local.stack" in sys.modules:
        from batchdrop.local.stack import StackError

        if isinstance(error, StackError):
            return error
    return None


_ADVICE = {
    errno.EACCES: "choose a path that you may write to, or change its permissions",
    errno.EADDRINUSE: "another program uses the port: give another one, or none",
    errno.EDQUOT: "free some space of your quota, then run the command again",
    errno.EEXIST: "a file is where a folder is needed; give another path",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.ENOENT: "make its folder first, or correct the path",
    errno.ENOSPC: "the disk is full: free some space, then run the command again",
    errno.ENOTDIR: "a file is where a folder is needed; give another path",
    errno.EROFS: "the disk cannot be written; give another path",
}
"""What to do about errors of the operating system."""


def _as_text(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError(type(value))


def _encoded(value: Any, *, indent: int) -> str:
    import msgspec

    body = msgspec.json.Encoder(enc_hook=_as_text, decimal_format="number").encode(value)
    return (msgspec.json.format(body, indent=indent) if indent else body).decode()
