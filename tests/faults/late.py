"""A function that Step Functions gave up for dead lives on, and writes at the worst moment of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faults.api import Claude
from tests.faults.execution import TaskError
from tests.faults.schedule import Schedule
from tests.faults.store import MemoryStore
from tests.faults.storm import Crash, Storm
from tests.faults.world import World

Objects = dict[str, bytes]


class LateWrite(World):
    """Contact to the first call of `function` is lost; it holds one write back until `is_worst`, if it lives so long.

    `is_worst` is told of the bucket's objects. `dies` is whether that write is its last act. Counted as `late write`.
    """

    function: str
    held: str  # how the key ends
    dies = False

    def __init__(self, schedule: Schedule, claude: Claude, log: Callable[[str], None] | None = None) -> None:
        super().__init__(schedule, claude, log)
        self._late = ""
        self.store = _Store(self.storm, self._hold)

    def is_worst(self, objects: Objects) -> bool:
        """Tell whether the moment has come."""
        raise NotImplementedError

    def invoke(self, function: str, payload: Any, *, timeout: float) -> Any:
        """Call a function; lose the contact to the first one that is to be late."""
        if function != self.function or self._late:
            return super().invoke(function, payload, timeout=timeout)
        self._late = self.call_function(function, payload).actor.name
        self.scheduler.sleep(3)
        raise TaskError(error="Lambda.Unknown", cause="contact lost")

    def _hold(self, key: str, put: Callable[[], None]) -> None:
        invocation = self.storm.invocation()
        if invocation is None or invocation.name != self._late or not key.endswith(self.held):
            put()
            return
        while not self.is_worst(self.objects):
            self.storm.takes(0.05)
        self.storm.counts["late write"] += 1
        put()
        if self.dies:
            invocation.is_dead = True
            raise Crash


class _Store(MemoryStore):
    """A bucket in which a write may be held back."""

    def __init__(self, storm: Storm, hold: Callable[[str, Callable[[], None]], None]) -> None:
        super().__init__(storm)
        self._hold = hold

    def _put(self, key: str, body: bytes, over: object) -> None:
        self._hold(key, lambda: super(_Store, self)._put(key, body, over))
