"""`make invoke` without a stack, and with the SAM CLI: what it asks for, and how its answers are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.invoke.__main__ import is_error, main
from tools.invoke.running_stack import NoStackError, find_stack
from tools.invoke.under_sam import SamError, can_reach_stack, invoke_under_sam

ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "LOG_LEVEL": "INFO"}


def _program(folder: Path, name: str, script: str) -> Path:
    """Write an executable that stands for another program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def _invoked(folder: Path, script: str) -> Any:
    return invoke_under_sam("poll_batch", {"shard": 3}, ENVIRONMENT, folder, sam=_program(folder, "sam", script))


def test_sam_gets_event_and_environment(tmp_path: Path) -> None:
    """As a container sees the stack; its logs are no answer."""
    answer = _invoked(tmp_path, f'echo "$@" > {tmp_path}/asked; echo START; echo END >&2; echo \'{{"ended": true}}\'')
    assert answer == {"ended": True}
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked[:3] == ["local", "invoke", "PollBatchFunction"]
    given = dict(zip(asked[3::2], asked[4::2], strict=True))
    assert json.loads(Path(given["--event"]).read_bytes()) == {"shard": 3}
    declared = json.loads(Path(given["--env-vars"]).read_bytes())["Parameters"]
    assert declared == {"AWS_ENDPOINT_URL": "http://host.docker.internal:4566", "LOG_LEVEL": "INFO"}


@pytest.mark.parametrize("line", ['{"errorType": "JobFailed", "errorMessage": "no"}', "Task timed out after 3.00 s"])
def test_an_error_of_the_function_is_one(tmp_path: Path, line: str) -> None:
    """`sam local invoke` ends with exit code 0 all the same."""
    assert is_error(_invoked(tmp_path, f"echo '{line}'"))


@pytest.mark.parametrize("script", ["exit 1", "echo '{}'; exit 1", "true"])
def test_sam_that_fails_is_not_an_answer(tmp_path: Path, script: str) -> None:
    """No Docker, no image, or nothing said."""
    with pytest.raises(SamError, match="without an answer"):
        _invoked(tmp_path, script)


@pytest.mark.parametrize(
    ("script", "reaches"),
    [("echo Docker Desktop", True), ("echo Debian GNU/Linux 12", False), ("echo Docker Desktop; exit 1", False)],
)
def test_an_engine_whose_containers_reach_the_stack(tmp_path: Path, script: str, *, reaches: bool) -> None:
    """Docker Desktop only, and only if it answers."""
    assert can_reach_stack(str(_program(tmp_path, "docker", script))) is reaches


def test_no_stack_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["poll_batch"]) == 1
    assert "start `.venv/bin/batchdrop up`" in capsys.readouterr().err
    with pytest.raises(NoStackError, match="no batchdrop runs at"):
        find_stack("http://127.0.0.1:9").environment("poll_batch")
