"""A token counter that counts by the product's own rule, and refuses as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from batchdrop.errors import AccountTrouble, CountRefused, RateLimited
from batchdrop.money.prompt_tokens import request_size


@dataclass
class FakeTokenCounter:
    """TokenCounter in memory. `times` is what it makes of each estimate; after `room` counts it is full."""

    times: float = 1.0
    room: int = 1_000_000
    key_is_good: bool = True
    counted: list[bytes] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def count(self, params: bytes) -> int:
        """Count one request."""
        if not self.key_is_good:
            message = "HTTP 401: invalid key"
            raise AccountTrouble(message)
        size = request_size(params)
        if not size.model.startswith("claude-"):
            message = "HTTP 404: model"
            raise CountRefused(message)
        with self._lock:
            if len(self.counted) >= self.room:
                message = "HTTP 429: too many"
                raise RateLimited(message)
            self.counted.append(params)
        return round(size.input_tokens * self.times)
