"""The stack of a console: it starts beside the first page, because a start takes several seconds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Thread
from typing import Literal

from batchdrop.cli.console import CommandError, known_error
from batchdrop.cli.deployment import Deployment

LOOK_SECONDS = 1.0
State = Literal["starting", "ready", "failed"]
Opens = Callable[[], AbstractContextManager[tuple[Deployment, Callable[[], None]]]]


class StackUnusableError(CommandError):
    """The stack did not start, or has ended; the message says why."""


class StackInUse:
    """Open a stack in a thread of its own, which lives as long as the stack, and close it in the end.

    `opens` is a context that yields the deployment, and a function that raises if the deployment has ended. `is_own`:
    the console started it, so its jobs use the same Claude API as tries.
    """

    def __init__(self, opens: Opens, *, is_own: bool = False) -> None:
        self.is_own = is_own
        self._opens = opens
        self._settled = Event()
        self._closes = Event()
        self._deployment: Deployment | None = None
        self._error: Exception | None = None
        self._thread = Thread(target=self._live, name="stack")

    def start(self) -> None:
        """Start to open the stack, and return at once."""
        self._thread.start()

    def close(self) -> None:
        """Close the stack, and wait until all its processes have ended."""
        self._closes.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def state(self) -> State:
        """Return whether the stack can be used yet, or any more."""
        if self._error is not None:
            return "failed"
        return "ready" if self._settled.is_set() else "starting"

    @property
    def error(self) -> str:
        """Return why the stack cannot be used; empty if it can."""
        return "" if self._error is None else str(known_error(self._error) or self._error)

    def deployment(self) -> Deployment:
        """Return the deployment, as soon as it is there. Raises StackUnusableError."""
        self._settled.wait()
        if self._deployment is None or self._error is not None:
            raise StackUnusableError(self.error) from self._error
        return self._deployment

    def _live(self) -> None:
        try:
            with self._opens() as (self._deployment, check_alive):
                self._settled.set()
                while not self._closes.wait(LOOK_SECONDS):
                    check_alive()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the pages show it
            self._error = error
        finally:
            self._settled.set()
