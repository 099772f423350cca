"""The notes of `batchdrop up`: found by other commands, and believed only if true."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchdrop.cli.deployment import WhichStackError, find_deployment
from batchdrop.cli.run.running_stacks import RunningStack, noted, notes_folder, running_stacks


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _note(pid: int, endpoint_url: str) -> Path:
    notes_folder().mkdir(mode=0o700, exist_ok=True)
    note = notes_folder() / f"{pid}.json"
    note.write_text(json.dumps({"pid": pid, "endpoint_url": endpoint_url}))
    return note


def test_as_long_as_it_runs(endpoint: str) -> None:
    """Then neither note nor folder is left."""
    with noted(endpoint):
        assert running_stacks() == [RunningStack(os.getpid(), endpoint)]
    assert running_stacks() == []
    assert not notes_folder().exists()


def test_a_dead_process_leaves_nothing_to_believe(endpoint: str) -> None:
    """The next command removes its note."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    note = _note(dead.pid, endpoint)
    assert running_stacks() == []
    assert not note.exists()


def test_a_process_that_does_not_answer_is_not_a_stack() -> None:
    """Another process may have got the number; the note of a living one is left to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    note = _note(os.getpid(), closed)
    assert running_stacks() == []
    assert note.exists()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x", "endpoint_url": 1}', "\x00"])
def test_a_broken_note_is_removed(content: str) -> None:
    """It breaks no command."""
    note = _note(1, "http://x")
    note.write_text(content)
    assert running_stacks() == []
    assert not note.exists()


def test_a_folder_that_others_can_write_is_not_believed(endpoint: str) -> None:
    """Or anybody could say where files are sent."""
    _note(os.getpid(), endpoint)
    notes_folder().chmod(0o777)
    assert running_stacks() == []


def test_a_folder_that_cannot_be_written_costs_the_note_only(tmp_path: Path, endpoint: str) -> None:
    """`up` goes on."""
    notes_folder().write_text("a file")
    with noted(endpoint):
        assert running_stacks() == []


def test_two_stacks_need_a_word(endpoint: str) -> None:
    """Which one is the user's to say; the message has both."""
    _note(os.getpid(), endpoint)
    _note(os.getppid(), endpoint)
    with pytest.raises(WhichStackError, match=f"--endpoint-url {endpoint} or {endpoint}"):
        find_deployment(None, region=None, endpoint_url=None)
