"""Commands that a test starts, and that do not outlive it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from tests.aws import REGION
from tests.cli.commands import Command, start
from tests.cli.deployed import Deployed

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


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deployed]:
    """A stack on moto; no `batchdrop up` of this machine is seen."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in ("AWS_PROFILE", "BATCHDROP_STACK", "BATCHDROP_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Deployed()
