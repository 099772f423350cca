"""Plan how an object is stitched from others by S3's rules: which bytes S3 copies, and which are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

MIN_PIECE_BYTES = 5 * 1024**2  # S3: of every part of a multipart upload but the last
MAX_PIECES = 10_000  # S3: parts of a multipart upload
MAX_COPY_BYTES = 1024**3  # ours: smaller copies run in parallel and end before the connection times out. S3: 5 GiB


class Strip(NamedTuple):
    """A piece of the object to be: the bytes of a stored object, or bytes in memory."""

    size: int
    is_stored: bool


class Span(NamedTuple):
    """Bytes of one strip, by its index in the sequence; `end` is exclusive."""

    strip: int
    start: int
    end: int


class Piece(NamedTuple):
    """A part, as S3 calls it: one span of a stored strip that is copied, or spans that are gathered and sent."""

    spans: tuple[Span, ...]
    is_copied: bool


def pieces_of(strips: Sequence[Strip]) -> list[Piece]:
    """Return the pieces that join the strips into one object: each byte once, in order.

    Every piece but the last has MIN_PIECE_BYTES or more, or S3 would refuse it; more where there would be over
    MAX_PIECES of them (from 50 GB on). A copied piece has at most MAX_COPY_BYTES, a gathered one less than two of the
    smallest pieces, unless a strip at hand is larger itself.
    """
    least = max(MIN_PIECE_BYTES, -(-sum(strip.size for strip in strips) // (MAX_PIECES - 1)))
    pieces = _Pieces(least)
    for number, (size, is_stored) in enumerate(strips):
        head = least - pieces.held if pieces.held else 0  # fills up the gathered piece, so that the rest can be copied
        if is_stored and size - head >= least:
            pieces.gather(Span(number, 0, head))
            pieces.copy(Span(number, head, size))
        else:
            pieces.gather(Span(number, 0, size))
    return pieces.all()


class _Pieces:
    """The pieces so far, and the spans that are gathered for the next one."""

    def __init__(self, least: int) -> None:
        self.held = 0  # bytes gathered
        self._least = least
        self._pieces: list[Piece] = []
        self._spans: list[Span] = []

    def gather(self, span: Span) -> None:
        if span.end > span.start:
            self._spans.append(span)
            self.held += span.end - span.start
        if self.held >= self._least:
            self._close()

    def copy(self, span: Span) -> None:
        self._pieces += [Piece((cut,), is_copied=True) for cut in _even_cuts(span)]

    def all(self) -> list[Piece]:
        if self._spans:
            self._close()
        return self._pieces

    def _close(self) -> None:
        self._pieces.append(Piece(tuple(self._spans), is_copied=False))
        self._spans, self.held = [], 0


def _even_cuts(span: Span) -> Iterator[Span]:
    """Yield a span in the fewest cuts that may be copied, about even, so that no last one is too small."""
    size = span.end - span.start
    step = -(-size // -(-size // MAX_COPY_BYTES))
    for start in range(span.start, span.end, step):
        yield Span(span.strip, start, min(start + step, span.end))
