"""`make demo`, killed at any moment and in any way, leaves no process and no directory behind.

tests/local kills the stack's own processes; here it is the command that users run, as make runs it.
"""

import signal
from collections.abc import Callable

import psutil
import pytest

from tests.cli.commands import BATCHDROP, Command
from tests.cli.conftest import Starts
from tests.local.polling import eventually
from tests.project import ROOT
from tests.proofs import in_check

pytestmark = pytest.mark.stack


def _log(command: Command, name: str) -> str:
    logs = [path.read_text(errors="replace") for path in command.folder.glob(f"out/.logs-*/{name}")]
    return "".join(logs)


def _make(command: Command) -> psutil.Process:
    return psutil.Process(command.process.pid)


def _batchdrop(command: Command) -> psutil.Process:
    (found,) = command.processes("bin/batchdrop", "demo")
    return found


MOMENTS: dict[str, Callable[[Command], object]] = {
    "at once": lambda command: command.processes("bin/batchdrop", "demo"),
    "starting": lambda command: command.processes("parent_watchdog.py", "ministack"),
    "deploying": lambda command: "bucket created" in _log(command, "ministack.log"),
    "splitting": lambda command: "dropped reviews.csv" in command.output,
    "answering": lambda command: "answering" in command.output,
    "waiting": lambda command: "1 answering" in command.output,
}


@pytest.fixture
def demo(starts: Starts) -> Command:
    """`make demo` in a folder of its own, so that its outputs go there; set-up is done, and is not done again."""
    return starts("make", "-f", ROOT / "Makefile", "-o", "setup", f"BIN={BATCHDROP.parent}", "demo")


def _reach(demo: Command, moment: str) -> None:
    def reached() -> object:
        assert demo.process.poll() is None, demo.output
        return MOMENTS[moment](demo)

    eventually(reached, seconds=150, what=moment)


@pytest.mark.parametrize("moment", in_check(MOMENTS, {"answering"}))
def test_make_killed(demo: Command, moment: str) -> None:
    """SIGKILL of make, which can tell nobody, ends the demo and its stack."""
    _reach(demo, moment)
    _make(demo).kill()
    demo.ended()
    demo.nothing_is_left()
    assert "rows = " not in demo.output, "it ended by itself, long after make"


@pytest.mark.parametrize(
    ("moment", "whom", "number"),
    in_check(
        [
            ("deploying", _make, signal.SIGTERM),
            ("answering", _make, signal.SIGTERM),
            ("splitting", _batchdrop, signal.SIGTERM),
            ("starting", _batchdrop, signal.SIGKILL),
            ("waiting", _batchdrop, signal.SIGKILL),
        ],
        {("waiting", _batchdrop, signal.SIGKILL)},
    ),
)
def test_terminated(
    demo: Command, moment: str, whom: Callable[[Command], psutil.Process], number: signal.Signals
) -> None:
    """So does a signal to make or to the command below it; make does not take that for a success."""
    _reach(demo, moment)
    whom(demo).send_signal(number)
    assert demo.ended() != 0
    demo.nothing_is_left()


@pytest.mark.parametrize("moment", in_check(["starting", "deploying", "answering"], {"answering"}))
def test_ctrl_c(demo: Command, moment: str) -> None:
    """Ctrl-C ends make and the stack; no traceback fills the screen."""
    _reach(demo, moment)
    demo.interrupt()
    assert demo.ended() != 0
    demo.nothing_is_left()
    assert "Traceback" not in demo.output
