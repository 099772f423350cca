"""Record the calls: their number by kind, and their rate."""

from collections import Counter, deque
from typing import Any

import msgspec

_KEPT = 10_000
_MINUTE = 60.0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call to the API."""

    at: float
    """Emulated seconds since the epoch."""
    endpoint: str
    outcome: str
    """The HTTP status, or `dropped` or `hung`."""
    request_id: str
    path: str
    bytes_in: int
    chunked: bool


class CallLog:
    """Counts every call, and keeps the last 10,000."""

    def __init__(self) -> None:
        """Start empty."""
        self._last: deque[Call] = deque(maxlen=_KEPT)
        self._counts: dict[str, Counter[str]] = {}
        self._recent: dict[str, deque[float]] = {}
        self._peaks: Counter[str] = Counter()
        self._bodies: Counter[str] = Counter()

    def add(self, call: Call) -> None:
        """Record a call."""
        self._last.append(call)
        self._counts.setdefault(call.endpoint, Counter())[call.outcome] += 1
        if call.bytes_in or call.chunked:
            self._bodies["chunked" if call.chunked else "content_length"] += 1
        for name in (call.endpoint, f"{call.endpoint.partition('.')[0]}.*"):
            self._note_pace(name, call.at)

    def summary(self) -> dict[str, Any]:
        """Return counts by endpoint and outcome, and the peak within 60 emulated seconds."""
        return {
            "total": sum(sum(counts.values()) for counts in self._counts.values()),
            "by_endpoint": {name: dict(counts) for name, counts in sorted(self._counts.items())},
            "peak_per_minute": dict(sorted(self._peaks.items())),
            "bodies": {"chunked": self._bodies["chunked"], "content_length": self._bodies["content_length"]},
        }

    def last(self) -> list[Call]:
        """Return the last calls, oldest first."""
        return list(self._last)

    def clear(self) -> None:
        """Clear the record."""
        self.__init__()  # type: ignore[misc]  # the same start as a new log

    def _note_pace(self, name: str, at: float) -> None:
        recent = self._recent.setdefault(name, deque())
        recent.append(at)
        while recent[0] <= at - _MINUTE:
            recent.popleft()
        self._peaks[name] = max(self._peaks[name], len(recent))
