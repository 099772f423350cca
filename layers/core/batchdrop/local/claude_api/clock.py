"""The emulator's clock: real time, accelerated, and advanced on demand."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class EmulatedClock:
    """Seconds since the epoch: `start + elapsed wall time x speed + advances`.

    A speed of 0 stops the clock, so that only `advance` moves it. Tests use that.
    """

    def __init__(
        self,
        *,
        start: float | None = None,
        speed: float = 1.0,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at `start` (seconds since the epoch; None: now); `wall` is a monotonic clock in seconds."""
        self._wall = wall
        self._base = time.time() if start is None else start
        self._since = wall()
        self._speed = speed

    @property
    def speed(self) -> float:
        """Return the emulated seconds per real second."""
        return self._speed

    def now(self) -> float:
        """Return the emulated seconds since the epoch."""
        return self._base + (self._wall() - self._since) * self._speed

    def advance(self, seconds: float) -> float:
        """Advance the clock and return the new time; raises ValueError for a negative step."""
        if seconds < 0:
            msg = "the emulated clock cannot go back"
            raise ValueError(msg)
        self._base += seconds
        return self.now()

    def set_speed(self, speed: float) -> None:
        """Change the speed from now on; raises ValueError for a negative one."""
        if speed < 0:
            msg = "the emulated clock cannot run backwards"
            raise ValueError(msg)
        wall = self._wall()
        self._base += (wall - self._since) * self._speed
        self._since = wall
        self._speed = speed


def rfc3339(seconds: float) -> str:
    """Return a time in the API's format, e.g. `2026-11-22T14:00:00.123456Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
