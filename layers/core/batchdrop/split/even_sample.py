"""Sample a stream of unknown length evenly, in flat memory."""

from __future__ import annotations

MOST_BYTES = 64_000_000  # ours: requests with attached files are large, so fewer are kept


class EvenSample:
    """Keeps every k-th request; whenever there are too many, it drops every second one."""

    def __init__(self, size: int, *, most_bytes: int = MOST_BYTES) -> None:
        self._size = size
        self._most_bytes = most_bytes
        self._kept: list[bytes] = []
        self._bytes = 0
        self._seen = 0
        self._stride = 1

    def offer(self, params: bytes) -> None:
        """Add the next request of the stream."""
        if self._seen % self._stride == 0:
            self._kept.append(params)
            self._bytes += len(params)
            while len(self._kept) > 1 and (len(self._kept) > 2 * self._size or self._bytes > self._most_bytes):
                self._kept = self._kept[::2]
                self._bytes = sum(map(len, self._kept))
                self._stride *= 2
        self._seen += 1

    @property
    def requests(self) -> list[bytes]:
        """Return the sample, in order: at most `size` requests."""
        many = len(self._kept)
        return self._kept if many <= self._size else [self._kept[one * many // self._size] for one in range(self._size)]
