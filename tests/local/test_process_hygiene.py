"""However a stack's owner ends, and whenever, nothing of the stack is left: no process, no directory."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.local.polling import eventually
from tests.proofs import in_check

OWNER = Path(__file__).with_name("stack_owner.py")
ROOT = OWNER.parents[2]
pytestmark = pytest.mark.stack


@dataclass
class Owned:
    """An owner process, and everything that can be told to be its stack's by the directory it was given."""

    command: "subprocess.Popen[bytes]"
    temp_root: Path
    logs: Path

    def processes(self) -> list[psutil.Process]:
        """Each living process whose environment names this owner's directory."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and any(str(self.temp_root) in value for value in process.environ().values())
        except (psutil.Error, OSError):
            return False

    def running(self, *words: str) -> list[psutil.Process]:
        """Those of the processes whose command line has all these words."""
        return [process for process in self.processes() if all(word in _command(process) for word in words)]

    def log(self, name: str) -> str:
        """What a log of the stack says so far."""
        path = self.logs / name
        return path.read_text() if path.exists() else ""


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _functions_at_work(owned: Owned) -> bool:
    """Whether both shards are being answered, by functions that have taken up their invocation."""
    spawned = owned.log("ministack.log").count("environment spawned for batchdrop-AnswerShardFunction")
    return spawned >= 2


MOMENTS: dict[str, Callable[[Owned], object]] = {
    "supervisor started": lambda owned: owned.running("batchdrop.local.supervise"),
    "ministack started": lambda owned: owned.running("parent_watchdog.py", "ministack"),
    "deploying": lambda owned: "bucket created" in owned.log("ministack.log"),
    "functions starting": lambda owned: owned.running("awslambdaric"),
    "functions at work": _functions_at_work,
}


@pytest.fixture
def owned(tmp_path: Path, template: Path) -> Iterator[Owned]:
    """A started owner."""
    started = _start([sys.executable], tmp_path, template, {})
    yield started
    _clean_up(started)


def _start(command: list[str], tmp_path: Path, template: Path, environment: dict[str, str]) -> Owned:
    temp_root, logs = tmp_path / "temp", tmp_path / "logs"
    temp_root.mkdir()
    own = {"TMPDIR": str(temp_root), "PYTHONPATH": str(ROOT)} | environment
    process = subprocess.Popen(
        [*command, str(OWNER), str(template), str(logs)],
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return Owned(process, temp_root, logs)


def _clean_up(owned: Owned) -> None:
    for process in owned.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            process.kill()
    owned.command.wait()


def _nothing_is_left(owned: Owned) -> None:
    # Several looks: a process that is being started has no readable environment for a moment.
    eventually(lambda: not any(owned.processes() for _ in range(5)), what="the end of every process")
    eventually(lambda: not list(owned.temp_root.iterdir()), what="the end of the directory")


@pytest.mark.parametrize("moment", in_check(MOMENTS, {"deploying", "functions at work"}))
def test_owner_killed(owned: Owned, moment: str) -> None:
    """SIGKILL of the owner, which can do nothing about it, leaves nothing behind at any moment."""
    eventually(lambda: MOMENTS[moment](owned), what=moment)
    owned.command.kill()
    owned.command.wait()
    _nothing_is_left(owned)


@pytest.mark.parametrize("number", in_check([signal.SIGTERM, signal.SIGINT, signal.SIGHUP], {signal.SIGTERM}))
@pytest.mark.parametrize("moment", in_check(["ministack started", "deploying", "functions at work"], {"deploying"}))
def test_owner_terminated(owned: Owned, moment: str, number: signal.Signals) -> None:
    """A signal that a terminal or a CI runner sends to the owner ends the stack too."""
    eventually(lambda: MOMENTS[moment](owned), what=moment)
    owned.command.send_signal(number)
    owned.command.wait()
    _nothing_is_left(owned)


def test_whole_stack_runs_in_the_supervisors_session(owned: Owned) -> None:
    """Functions in the middle of an invocation are in the session that the supervisor ends."""
    eventually(lambda: _functions_at_work(owned), what="functions at work")
    (supervisor,) = owned.running("batchdrop.local.supervise")
    others = [one for one in owned.processes() if one.pid not in (owned.command.pid, supervisor.pid)]
    assert len(owned.running("awslambdaric")) >= 3
    assert {os.getsid(one.pid) for one in others} == {supervisor.pid}


@pytest.mark.parametrize(
    "moment", in_check(["ministack started", "functions starting", "functions at work"], {"functions at work"})
)
def test_supervisor_killed(owned: Owned, moment: str) -> None:
    """SIGKILL of the supervisor, the one who would clean up, ends the others through their watchdogs."""
    eventually(lambda: MOMENTS[moment](owned), what=moment)
    (supervisor,) = owned.running("batchdrop.local.supervise")
    supervisor.kill()
    assert owned.command.wait(60) != 0
    _nothing_is_left(owned)


def test_owner_and_supervisor_killed_at_once(owned: Owned) -> None:
    """With both gone nobody is left to clean up but the processes themselves; they do, directory included."""
    eventually(lambda: _functions_at_work(owned), what="functions at work")
    for process in [*owned.running("batchdrop.local.supervise"), psutil.Process(owned.command.pid)]:
        process.kill()
    owned.command.wait()
    _nothing_is_left(owned)


@pytest.mark.parametrize("service", in_check(["ministack", "batchdrop.local.claude_api"], {"ministack"}))
def test_service_killed(owned: Owned, service: str) -> None:
    """When one of the services dies, the stack ends and its owner learns of it."""
    eventually(lambda: _functions_at_work(owned), what="functions at work")
    (process,) = owned.running("parent_watchdog.py", service)
    process.kill()
    assert owned.command.wait(60) != 0
    assert "ended with exit code -9" in owned.log("supervise.log")
    _nothing_is_left(owned)


@pytest.mark.parametrize("moment", in_check(["supervisor started", "functions at work"], {"functions at work"}))
def test_make_killed(tmp_path: Path, template: Path, moment: str) -> None:
    """SIGKILL of `make` ends a command that asked for it, also with a shell between them."""
    make = tmp_path / "make"
    make.symlink_to(Path(sys.executable).resolve())
    # A `make` that is Python, which runs a shell, which runs the owner and stays.
    run_shell = (
        "import os, subprocess, sys; os.environ['BATCHDROP_EXIT_WITH_PARENT'] = str(os.getpid()); "
        "subprocess.run(['sh', '-c', '\"$@\"; exit 1', 'sh', *sys.argv[1:]])"
    )
    command = [str(make), "-c", run_shell, sys.executable]
    owned = _start(command, tmp_path, template, {})
    try:
        eventually(lambda: MOMENTS[moment](owned), what=moment)
        owned.command.kill()
        owned.command.wait()
        _nothing_is_left(owned)
    finally:
        _clean_up(owned)
