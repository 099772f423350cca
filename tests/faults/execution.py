"""One execution of a state machine, what its tasks may do, and how they fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.faults.asl import State
from tests.faults.scheduler import Actor


class TaskError(Exception):
    """A task failed: an error's name, and its cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


class Tasks(Protocol):
    """What tasks do. Each raises TaskError."""

    def invoke(self, function: str, payload: Any, *, timeout: float) -> Any:
        """Call a function and wait for its answer."""

    def put_item(self, item: dict[str, Any]) -> None:
        """Write an item into the ledger's table."""

    def invoke_and_wait(self, function: str, payload: Any, token: str) -> Any:
        """Call a function, then wait until the token's bell is rung."""

    def read_items(self, key: str) -> list[Any]:
        """Read the Map's items."""

    def send_and_wait(self, body: str, token: str, *, heartbeat: float, timeout: float) -> Any:
        """Send a message to the queue, and wait until somebody ends the task with its token."""


@dataclass
class Execution:
    """One execution: where it stands, and how it ended. `children` are a Map's, by the item's index."""

    name: str
    states: dict[str, State]
    state: str | None
    data: Any
    context: dict[str, Any]
    status: str = "RUNNING"
    error: str = ""
    cause: str = ""
    output: Any = None
    redrives: int = 0
    actor: Actor | None = None
    children: dict[int, Execution] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self.status == "RUNNING"
