"""How a command speaks: words for people, or one JSON document for programs.

With `--json`, stdout holds JSON and nothing else; progress goes to stderr if that is a terminal. An error is one line
on stderr: `Error: …`, or with `--json` `{"error": {"type": …, "message": …}}`. Exit codes: 0 well, 1 it did not end
well, 2 the command was wrong, 130 Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

FAILED = 1
USAGE_ERROR = 2
INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what it was asked to; the message says what, where, and what to do."""

    exit_code = FAILED


@dataclass(frozen=True)
class CommandOutput:
    """Where a command's words go, and in which form."""

    json: bool = False

    @cached_property
    def console(self) -> Console:
        """Return where words for people go: stdout; with `--json` stderr, and nowhere if that is no terminal."""
        from rich.console import Console

        return Console(stderr=True, quiet=not sys.stderr.isatty()) if self.json else Console()

    def document(self, value: Any) -> None:
        """Write a value as the command's one JSON document."""
        typer.echo(_encoded(value, indent=2))

    def line(self, value: Any) -> None:
        """Write a value as one of several JSON lines."""
        typer.echo(_encoded(value, indent=0))

    def fail(self, error: Exception, code: int = FAILED) -> typer.Exit:
        """Write an error on stderr; return what ends the command."""
        message = " ".join(str(error).split())
        if self.json:
            told = {"error": {"type": type(error).__name__, "message": message}}
            typer.echo(json.dumps(told, ensure_ascii=False), err=True)
        else:
            typer.echo(f"Error: {message}", err=True)
        return typer.Exit(code)

    @contextmanager
    def reporting_errors(self) -> Iterator[None]:
        """Run a command's work: what it cannot do is said in one line, and becomes its exit code."""
        try:
            yield
        except CommandError as error:
            raise self.fail(error, error.exit_code) from error
        except Exception as error:
            known = _known(error)
            if known is None:
                raise
            raise self.fail(known) from error


def _known(error: Exception) -> Exception | None:
    """Return an error of a job, of AWS or of the embedded stack in words; None for a defect of ours.

    What raises it is imported only if it was used.
    """
    if "batchdrop.errors" in sys.modules:
        from batchdrop.errors import BatchdropError

        if isinstance(error, BatchdropError):
            return error
    if "botocore.exceptions" in sys.modules:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError | BotoCoreError):
            return CommandError(f"AWS: {error}. `batchdrop doctor` checks credentials and the stack")
    if "batchdrop.local.stack" in sys.modules:
        from batchdrop.local.stack import StackError

        if isinstance(error, StackError):
            return error
    return None


def _encoded(value: Any, *, indent: int) -> str:
    import msgspec

    body = msgspec.json.Encoder(decimal_format="number").encode(value)
    return (msgspec.json.format(body, indent=indent) if indent else body).decode()
