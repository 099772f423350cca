"""Create bodies, as tests send them."""

from collections.abc import Iterator

from batchdrop.requests.request import request_line
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL

PARAMS = b'{"model":"claude-haiku-5-5","max_tokens":16,"messages":[{"role":"user","content":"%b"}]}'


class Body:
    """A RequestBody in memory, handed over in pieces of `piece` bytes. `readings` counts how often it was begun."""

    def __init__(self, content: bytes, *, piece: int = 50) -> None:
        self.size = len(content)
        self.readings = 0
        self._content = content
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        """Start from the first byte, each time."""
        self.readings += 1
        for start in range(0, self.size, self._piece):
            yield self._content[start : start + self._piece]


def create_body(requests: int, *, job: str = "job", shard: int = 0, content: str = "hello") -> Body:
    """Return a create body of one shard's requests."""
    lines = [
        request_line(f"{job}-{shard:05d}-{index:06d}", PARAMS % f"{content} {index}".encode())
        for index in range(requests)
    ]
    return Body(BODY_HEAD + BODY_SEPARATOR.join(lines) + BODY_TAIL)
