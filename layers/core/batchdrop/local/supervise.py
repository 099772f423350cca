"""The supervisor: start the stack's processes, and end all of them when the owner ends.

    python -m batchdrop.local.supervise        (started by batchdrop.local.stack, in a session of its own)

It reads its spec from the first line of stdin, then waits for the end of stdin, which the kernel closes when the owner
ends. Then, or on a signal, or when a child ends, it ends every process of its session and removes the stack's
directory. If it is killed itself, `batchdrop.local.parent_watchdog` ends the others.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from batchdrop.local.child_environment import base_environment
from batchdrop.local.function_stats import FunctionSampler, write_stats
from batchdrop.local.process_session import end_others, other_members
from batchdrop.local.service_processes import Claude, Ministack, Service
from batchdrop.local.stack_spec import StackReport, StackSpec

STATS_FILE = "function-stats.json"
_WATCHDOG_PIPE = "watchdog"
_SAMPLE_SECONDS = 0.2
_START_POLL_SECONDS = 0.03
_START_SECONDS = 60.0
_GRACE_SECONDS = 1.0
_PORT_TRIES = 3


class StartError(Exception):
    """A process of the stack did not start; the message says which, and shows its output."""


class Supervisor:
    """Starts and ends one stack's processes."""

    def __init__(self, spec: StackSpec, stop: threading.Event) -> None:
        self._spec = spec
        self._stop = stop
        watchdog = spec.temp_dir / _WATCHDOG_PIPE
        self._environment = base_environment(os.environ, temp_dir=spec.temp_dir, watchdog=watchdog)

    def run(self) -> None:
        """Start the processes, report, and wait for a stop or for the end of a child."""
        try:
            ministack, claude, report = self._start()
        except StartError as error:
            _report(StackReport(error=str(error)))
            return
        if not self._stop.is_set():
            _report(report)
            self._stay([ministack.service, *([claude.service] if claude else [])])

    def _start(self) -> tuple[Ministack, Claude | None, StackReport]:
        claude = self._start_claude()
        ministack = self._start_ministack(_PORT_TRIES)
        if claude is not None:
            self._await(claude.service, lambda: claude.url() is not None)
        report = StackReport(endpoint_url=ministack.url, claude_base_url=claude.url() if claude else None)
        return ministack, claude, report

    def _start_claude(self) -> Claude | None:
        if self._spec.claude_arguments is None:
            return None
        return Claude.start(self._environment, self._spec.claude_arguments, log=self._spec.log_dir / "claude_api.log")

    def _start_ministack(self, tries: int) -> Ministack:
        ministack = Ministack.start(
            self._environment | ({"LOG_LEVEL": "DEBUG"} if self._spec.logs_requests else {}),
            self._spec,
            log=self._spec.log_dir / "ministack.log",
        )
        try:
            self._await(ministack.service, ministack.answers)
        except StartError:
            # Another process may have taken the port in the meantime.
            if tries <= 1 or self._spec.ministack_port or not ministack.service.has_ended:
                raise
            return self._start_ministack(tries - 1)
        return ministack

    def _await(self, service: Service, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if service.has_ended:
                raise StartError(service.last_output())
            if time.monotonic() > deadline:
                raise StartError(f"{service.name} did not answer within {_START_SECONDS:g} s; see {service.log}")
            if self._stop.wait(_START_POLL_SECONDS):
                return

    def _stay(self, services: list[Service]) -> None:
        sampler, stats_file = FunctionSampler(), self._spec.log_dir / STATS_FILE
        while not self._stop.wait(_SAMPLE_SECONDS):
            sampler.sample(other_members())
            write_stats(sampler.stats(), stats_file)
            ended = next((service for service in services if service.has_ended), None)
            if ended is not None:
                sys.stderr.write(f"{ended.last_output()}\n")
                sys.stderr.flush()
                return


@contextlib.contextmanager
def _held_pipe(path: Path) -> Iterator[None]:
    os.mkfifo(path, 0o600)
    # Opened for reading first: opening for writing alone fails without a reader.
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        yield
    finally:
        os.close(writer)
        os.close(reader)


def _report(report: StackReport) -> None:
    # The owner may already be gone; stdin shows that, not this write.
    with contextlib.suppress(OSError):
        sys.stdout.write(report.to_line())
        sys.stdout.flush()


def _stop_at_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())


def _stop_at_end_of_lifeline(stop: threading.Event) -> None:
    def read_to_end() -> None:
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=read_to_end, name="lifeline", daemon=True).start()


def _write_errors_to(log_dir: Path) -> None:
    log_dir.mkdir(parents=True, exist_ok=True)
    with (log_dir / "supervise.log").open("wb") as log:
        os.dup2(log.fileno(), 2)


def _read_line(descriptor: int) -> str:
    line = bytearray()
    while not line.endswith(b"\n") and (more := os.read(descriptor, 1)):
        line += more
    return line.decode()


def main() -> None:
    """Supervise one stack."""
    stop = threading.Event()
    _stop_at_signals(stop)
    line = _read_line(0)
    if not line.endswith("\n"):
        return
    spec = StackSpec.from_line(line)
    _stop_at_end_of_lifeline(stop)
    spec.temp_dir.mkdir(mode=0o700)
    try:
        _write_errors_to(spec.log_dir)
        with _held_pipe(spec.temp_dir / _WATCHDOG_PIPE):
            try:
                Supervisor(spec, stop).run()
            finally:
                end_others(grace_seconds=_GRACE_SECONDS)
    finally:
        shutil.rmtree(spec.temp_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
