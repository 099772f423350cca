"""Mark requests for the API's prompt cache while they are sent.

Create bodies are stored unmarked, because only the moment of sending shows whether the shared prefix is in the cache.
A mark replaces a piece of JSON that stands once in each request. The piece contains bare quotes, so no text of a row
can contain it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


class CacheMark(msgspec.Struct, frozen=True):
    """What to replace in each request: the `plain` JSON of the shared prefix's end, and the same `marked`."""

    plain: bytes
    marked: bytes

    @property
    def growth(self) -> int:
        """Return how many bytes a request grows by."""
        return len(self.marked) - len(self.plain)

    def applied(self, body: bytes) -> bytes:
        """Return whole requests, marked."""
        return body.replace(self.plain, self.marked)

    def stream(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a create body, marked. A block may end inside the piece: as much as may belong to it is kept back."""
        kept = len(self.plain) - 1
        rest = b""
        for block in blocks:
            *done, last = (rest + block).split(self.plain)
            cut = max(0, len(last) - kept)
            rest = last[cut:]
            if done or cut:
                yield self.marked.join((*done, last[:cut]))
        yield rest
