"""The clock of a Lambda invocation: the time, and the seconds that are left."""

from collections.abc import Callable
from datetime import UTC, datetime


class InvocationClock:
    """Clock of one invocation. `remaining_milliseconds` is the counter of its Lambda context."""

    def __init__(self, remaining_milliseconds: Callable[[], int]) -> None:
        self._remaining = remaining_milliseconds

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def remaining(self) -> float:
        """Return the seconds that this invocation has left."""
        return self._remaining() / 1000
