"""`batchdrop cancel` and `batchdrop resume`: what they say when there is nothing to act on."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from batchdrop.cli.main import app
from batchdrop.local.service_processes import free_port


@pytest.mark.parametrize("command", ["cancel", "resume"])
def test_no_such_stack(command: str) -> None:
    """Where no stack answers, the message says what to check, and the exit code is 1."""
    result = CliRunner().invoke(app, [command, "job-1", "--endpoint-url", f"http://127.0.0.1:{free_port()}"])
    assert result.exit_code == 1
    assert "nothing answers at" in result.output
