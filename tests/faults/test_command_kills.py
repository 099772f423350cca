"""`batchdrop run` against a real service, killed at each of its moments and in each way; `make faults` only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.cli.real_service import (
    Moment,
    RealService,
    has_split,
    has_started,
    is_collecting,
    is_creating,
    is_waiting,
    kill_command,
    kill_process,
    reach,
    real_service,
    signalled,
    slow_create,
    slow_results,
)
from tests.local.polling import eventually

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(900),
    pytest.mark.skipif("FAULTS_FULL" not in os.environ, reason="takes minutes: make faults"),
]

ENDS: dict[str, Callable[[Command], None]] = {
    "kill -9": kill_command,
    "ministack killed": kill_process("parent_watchdog.py", "ministack"),
    "supervisor killed": kill_process("batchdrop.local.supervise"),
    "SIGTERM": signalled(signal.SIGTERM),
    "Ctrl-C": signalled(signal.SIGINT),
}
MOMENTS: dict[str, tuple[Moment, Callable[[RealService], None] | None]] = {
    "started": (has_started, None),
    "split": (has_split, None),
    "creating": (is_creating, slow_create),
    "waiting": (is_waiting, None),
    "collecting": (is_collecting, slow_results),
}
CASES = [("kill -9", moment) for moment in MOMENTS] + [
    (end, moment) for end in ENDS if end != "kill -9" for moment in ("creating", "waiting")
]


@pytest.mark.parametrize(("end", "moment"), CASES)
def test_the_same_command_again(tmp_path: Path, capsys: pytest.CaptureFixture[str], end: str, moment: str) -> None:
    """Every row is answered, each shard is created once, and the bill is the rows."""
    look, prepare = MOMENTS[moment]
    began = time.monotonic()
    with real_service(tmp_path) as service:
        if prepare:
            prepare(service)
        first = service.runs()
        reach(service, first, look)
        ENDS[end](first)
        seen = service.created()
        # A run that a signal ended before it sent anything leaves no folder; then the same command is simply run.
        again = service.runs(*(["--resume"] if service.state else []))
        assert again.ended(seconds=400) == 0, again.output
        service.judge()
        bill = service.claude.bill_summary()["requests"]
        with capsys.disabled():
            print(  # noqa: T201 - a line for people
                f"\n{end:<18} {moment:<11} creates: {seen} before, {service.created()} of {service.shards} after; "
                f"billed {bill} for {service.rows} rows; {time.monotonic() - began:.0f} s"
            )


def test_twice_at_once(tmp_path: Path) -> None:
    """The second one names the process of the first, and ends with 3; the first one is not disturbed."""
    with real_service(tmp_path) as service:
        first = service.runs()
        reach(service, first, has_started)
        second = service.runs()
        assert second.ended() == 3, second.output
        assert f"process {first.process.pid} uses" in second.output
        assert first.ended(seconds=400) == 0, first.output
        service.judge()


def test_killed_three_times(tmp_path: Path) -> None:
    """Each time after another create."""
    with real_service(tmp_path, rows=8) as service:
        for number in range(3):
            command = service.runs(*(["--resume"] if number else []))
            eventually(partial(_has_created, service, number + 1), seconds=150, what="a create")
            kill_command(command)
        again = service.runs("--resume")
        assert again.ended(seconds=400) == 0, again.output
        service.judge()


def _has_created(service: RealService, least: int) -> bool:
    return service.created() >= least


def test_paying_again_is_caught(tmp_path: Path) -> None:
    """`--new` does what every run did before its state was kept; the judge sees that it pays twice."""
    with real_service(tmp_path) as service:
        slow_create(service)
        first = service.runs()
        reach(service, first, is_creating)
        kill_command(first)
        again = service.runs("--new")
        assert again.ended(seconds=400) == 0, again.output
        with pytest.raises(AssertionError):
            service.judge()
        assert service.created() > service.shards
