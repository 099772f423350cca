"""Real time, and the time an invocation has left."""

from collections.abc import Callable
from datetime import UTC, datetime


class InvocationClock:
    """Clock of one Lambda invocation. `remaining_milliseconds` is its context's own counter."""

    def __init__(self, remaining_milliseconds: Callable[[], int]) -> None:
        self._remaining = remaining_milliseconds

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def remaining(self) -> float:
        """Return the seconds this invocation may still take."""
        return self._remaining() / 1000
