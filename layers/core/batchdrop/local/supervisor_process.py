"""The supervisor as a child process of the stack's owner."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from batchdrop.local.stack_spec import StackReport, StackSpec

_PACKAGE_ROOT = Path(__file__).parents[2]
# The supervisor itself needs at most its grace and kill periods, about 6 s.
_END_SECONDS = 15.0


class SupervisorProcess:
    """Starts immediately; lives until `end`, or until its parent process ends."""

    def __init__(self, spec: StackSpec) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "batchdrop.local.supervise"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(_PACKAGE_ROOT)},
            # Ctrl-C in a terminal reaches only the owner, which then ends the stack in order.
            start_new_session=True,
            pass_fds=spec.keeps_open,
        )
        self._lifeline = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)
        with contextlib.suppress(BrokenPipeError):  # the missing report will show it
            self._lifeline.write(spec.to_line())
            self._lifeline.flush()

    @property
    def pid(self) -> int:
        """Return the process id, which is also the session id of all processes of the stack."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether the supervisor runs, and with it the stack."""
        return self._process.poll() is None

    def await_report(self) -> StackReport:
        """Wait until the services answer or one of them has failed; return the report."""
        line = self._answers.readline()
        if not line:
            return StackReport(error="the supervisor ended before the services were up")
        return StackReport.from_line(line)

    def end(self) -> None:
        """Close the supervisor's stdin, and wait until every process of the stack has ended."""
        for pipe in (self._lifeline, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
