"""Attempts that stop before each call of a port, so that a test decides who goes on, who dies, and what is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

How = Literal["go", "die before", "die after", "lose the answer"]


class Killed(BaseException):
    """The attempt's process is gone."""


class AnswerLost(Exception):
    """The call was made, and its answer did not come."""


class Attempt:
    """One run of a use case, in a thread that only moves when `step` says so.

    `at` is the call it stands before; None once it has ended. `result` or `error` is what came of it.
    """

    def __init__(self, name: str, deadline: float, act: Callable[[Attempt], Any]) -> None:
        self.name = name
        self.deadline = deadline
        self.at: str | None = None
        self.result: Any = None
        self.error: Exception | None = None
        self.is_killed = False
        self._act = act
        self._how: How = "go"
        self._my_turn = threading.Semaphore(0)
        self._their_turn = threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()
        self._their_turn.acquire()

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended, one way or the other."""
        return self.at is None

    def step(self, how: How = "go") -> None:
        """Let it make the call it stands before, and go on to the next."""
        assert self.at is not None
        self._how = how
        self._my_turn.release()
        self._their_turn.acquire()

    def call(self, name: str, effect: Callable[[], Any]) -> Any:
        """Make one call, when and how the test says. Raises Killed, AnswerLost."""
        if self.is_killed:
            raise Killed
        self.at = name
        self._their_turn.release()
        self._my_turn.acquire()
        how = self._how
        if how == "die before":
            self._die()
        answer = effect()
        if how == "die after":
            self._die()
        if how == "lose the answer":
            raise AnswerLost(name)
        return answer

    def _die(self) -> None:
        self.is_killed = True
        raise Killed

    def _run(self) -> None:
        try:
            self.result = self._act(self)
        except Killed:
            pass
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.at = None
        self._their_turn.release()
