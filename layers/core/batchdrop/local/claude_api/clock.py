"""The emulator's clock: real time, made faster, and pushed forward on demand."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class EmulatedClock:
    """Seconds since the epoch: `start + wall time elapsed x speed + what was advanced by hand`.

    A speed of 0 stops the clock: then only `advance` moves it, which is what tests want.
    """

    def __init__(
        self,
        *,
        start: float | None = None,
        speed: float = 1.0,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at `start` (seconds since the epoch; now if None); `wall` is monotonic, in seconds."""
        self._wall = wall
        self._base = time.time() if start is None else start
        self._since = wall()
        self._speed = speed

    @property
    def speed(self) -> float:
        """Emulated seconds for each real one."""
        return self._speed

    def now(self) -> float:
        """Emulated seconds since the epoch."""
        return self._base + (self._wall() - self._since) * self._speed

    def advance(self, seconds: float) -> float:
        """Push the clock forward; raises ValueError for a negative step. Returns the new time."""
        if seconds < 0:
            msg = "the emulated clock cannot go back"
            raise ValueError(msg)
        self._base += seconds
        return self.now()

    def set_speed(self, speed: float) -> None:
        """Go on from the present moment at another speed; raises ValueError for a negative one."""
        if speed < 0:
            msg = "the emulated clock cannot run backwards"
            raise ValueError(msg)
        wall = self._wall()
        self._base += (wall - self._since) * self._speed
        self._since = wall
        self._speed = speed


def rfc3339(seconds: float) -> str:
    """The API's spelling of a moment, e.g. `2026-11-22T14:00:00.123456Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
