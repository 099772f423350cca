"""What all pages of one console share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from batchdrop.cli.run.service import Service
from batchdrop.cli.ui.stack_in_use import StackInUse


@dataclass(frozen=True, slots=True)
class Session:
    """One console: the table and the recipe that it was started with, the Claude API, and the stack.

    `files` is the folder of attached files, `out` that of outputs, of tried answers and of a durable stack.
    """

    stack: StackInUse
    service: Service
    file: Path | None = None
    recipe: Path | None = None
    files: Path | None = None
    out: Path = Path("out")
    stack_name: str = ""
    """The stack of the user's AWS account; empty for one on this machine."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """Functions of pages that clean up when the console ends, also if a thread of theirs still works."""

    def close(self) -> None:
        """Close the stack, and remove what the pages leave on the disk."""
        self.stack.close()
        for remove in self.at_end:
            remove()

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return datetime.now(UTC)
