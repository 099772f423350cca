"""Commands that a test starts, and that do not outlive it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Command, start

Starts = Callable[..., Command]


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[Starts]:
    """Start a command, each in a folder of its own."""
    started: list[Command] = []

    def start_one(*words: str | Path, **environment: str) -> Command:
        folder = tmp_path / f"command{len(started)}"
        folder.mkdir()
        started.append(start(words, folder, **environment))
        return started[-1]

    yield start_one
    for command in started:
        command.kill_all()
