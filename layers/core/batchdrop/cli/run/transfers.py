"""Show a progress bar for transfers on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from batchdrop.cli.console import CommandOutput


class Transfer:
    """Files in transfer; boto3 calls `moved` from its own threads, with the bytes since the last call."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None) if progress else None

    def expect(self, total: int) -> None:
        """Set the total number of bytes."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, total=total)

    def name(self, name: str) -> None:
        """Set the name of the current file."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=name)

    def moved(self, count: int) -> None:
        """Add transferred bytes."""
        if self._progress and self._task is not None:
            self._progress.advance(self._task, count)


@contextmanager
def transferring(output: CommandOutput) -> Iterator[Transfer]:
    """Show a bar while the context lasts; none in a pipe."""
    console = output.console
    if not console.is_terminal or console.quiet:
        yield Transfer()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Transfer(progress)
