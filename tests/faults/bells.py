"""Tasks that wait for their token, and the bells that wake them: as much of Step Functions as an approval needs."""

from __future__ import annotations

from typing import Any

from tests.faults.scheduler import Scheduler, Signal
from tests.faults.storm import WRITE_IN_FLIGHT, Storm


class _Gone(Exception):
    """No task waits with this token."""


class Bells:
    """The client that StepFunctionsTaskTokens talks to; functions reach it through the weather, a user does not."""

    class exceptions:  # noqa: N801 - as boto3's client has it
        """What the client raises."""

        TaskTimedOut = InvalidToken = TaskDoesNotExist = _Gone

    def __init__(self, scheduler: Scheduler, storm: Storm) -> None:
        self._scheduler = scheduler
        self._storm = storm
        self._waiting: dict[str, Signal] = {}

    def hang(self, token: str) -> None:
        """Let a task begin to wait."""
        self._waiting[token] = Signal(self._scheduler)

    def wait(self, token: str, timeout: float) -> bool:
        """Wait until the bell rings; tell whether it has, in time."""
        return self._waiting[token].wait(self._scheduler.now + timeout)

    def take_down(self, token: str) -> None:
        """Let the task be over."""
        del self._waiting[token]

    def is_waited_for(self, tokens: list[str]) -> bool:
        """Tell whether a task waits with one of these tokens."""
        return any(token in self._waiting and not self._waiting[token].is_set for token in tokens)

    def send_task_success(self, *, taskToken: str, output: str) -> Any:  # noqa: N803 - as boto3's client has it
        """Wake a task. Raises `exceptions.TaskTimedOut`."""
        return self._storm.call("send task success", lambda: self._ring(taskToken), in_flight=WRITE_IN_FLIGHT)

    send_task_failure = send_task_heartbeat = None  # nobody who approves says so

    def _ring(self, token: str) -> None:
        bell = self._waiting.get(token)
        if bell is None or bell.is_set:
            raise _Gone(token)
        bell.set()
