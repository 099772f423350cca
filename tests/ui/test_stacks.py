"""Which stack a console uses, and who pays for its jobs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.run.running_stacks import noted
from batchdrop.cli.run.service import Service
from batchdrop.cli.ui.stack_in_use import StackInUse, StackUnusableError
from batchdrop.cli.ui.stacks import Where, stack_at
from batchdrop.cli.ui.trying.starting import payer_of
from tests.ui.consoles import no_stack, session_of

REAL = Service("https://api.example.com", "sk-test")


def _deployment(**parameters: str) -> Deployment:
    described = {"Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]}
    nothing: Any = None
    return Deployment(nothing, nothing, nothing, "arn", described=described)


def _own(where: Where) -> bool:
    return stack_at(where, Service(), Path("out"), Console(quiet=True)).is_own


def test_a_named_or_running_stack_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if none is named and no `batchdrop up` runs here, the console starts one."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    nothing = Where(None, None, None)
    assert _own(nothing)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with noted(f"http://127.0.0.1:{listening.getsockname()[1]}"):
            assert not _own(nothing)
    assert not _own(Where("mine", None, None))
    assert not _own(Where(None, "eu-west-1", None))
    assert not _own(Where(None, None, "http://127.0.0.1:4566"))


def test_who_pays_for_a_job() -> None:
    """The emulator pays for tries only, if the jobs run on a stack that was found: it may use the real API."""
    own = StackInUse(no_stack, is_own=True)
    assert payer_of(session_of(stack=own), _deployment()) == "nobody: the emulator answers"
    assert payer_of(session_of(stack=own, service=REAL), _deployment()) == "you, with your own access"
    found = session_of()
    real = _deployment(AnthropicBaseUrl="https://api.anthropic.com")
    assert payer_of(found, real) == "the owner of the stack's access to https://api.anthropic.com"
    assert payer_of(found, _deployment()) == "the owner of the stack's access to the Claude API"


def test_a_stack_that_does_not_start() -> None:
    """Pages say why, and nothing waits for it."""
    stack = StackInUse(no_stack)
    stack.start()
    with pytest.raises(StackUnusableError, match="this test has no stack"):
        stack.deployment()
    assert stack.state == "failed"
    assert "this test has no stack" in stack.error
    stack.close()
