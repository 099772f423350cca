"""`batchdrop run` against a real service, killed after its first create: the same command loses and repays nothing."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from batchdrop.cli.console import INTERRUPTED, UNDECIDED
from tests.cli.real_service import (
    is_creating,
    is_waiting,
    kill_command,
    reach,
    real_service,
    signalled,
    slow_create,
)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_killed_after_the_first_create(tmp_path: Path) -> None:
    """SIGKILL before the answer is read. Only --resume sends more; then every row is answered and paid once."""
    with real_service(tmp_path) as service:
        slow_create(service)
        command = service.runs()
        reach(service, command, is_creating)
        kill_command(command)
        assert service.state is not None
        assert stat.S_IMODE(service.state.path.stat().st_mode) == 0o700

        undecided = service.runs()
        assert undecided.ended() == UNDECIDED, undecided.output
        assert "--resume" in undecided.output
        assert "--new" in undecided.output
        assert service.created() < service.shards

        again = service.runs("--resume")
        assert again.ended(seconds=300) == 0, again.output
        service.judge()
        assert service.state is None
        assert service.keeps_no_key()
        again.nothing_is_left()


def test_ctrl_c_and_then_cancel(tmp_path: Path) -> None:
    """Ctrl-C names the batches, and how to go on; --cancel cancels them, and nothing new is sent."""
    with real_service(tmp_path) as service:
        command = service.runs()
        reach(service, command, is_waiting)
        signalled(signal.SIGINT)(command)
        assert command.process.returncode == INTERRUPTED, command.output
        batch = next(sent.batch_id for sent in service.submissions() if sent.batch_id)
        assert f"  {batch}  shard " in command.output
        assert "at most" in command.output
        assert "--resume\n" in command.output
        assert service.keeps_no_key()
        before = service.created()

        canceled = service.runs("--cancel")
        assert canceled.ended(seconds=300) == 1, canceled.output
        assert service.created() == before
        now = service.claude.now()
        assert all(one.ended(now) for one in service.claude.state.batches.all())
        assert service.state is None
