"""The pieces that an object is stitched of: S3's rules hold, whatever the sizes, and no byte is lost or doubled."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.aws.s3_stitching import (
    MAX_COPY_BYTES,
    MAX_PIECES,
    MIN_PIECE_BYTES,
    Piece,
    Span,
    Strip,
    pieces_of,
)

S3_OBJECT = 5_000_000_000_000  # bytes: S3's most when this was written
S3_COPY = 5 * 1024**3

SMALL = st.integers(0, MIN_PIECE_BYTES)
AROUND = st.builds(lambda times, more: max(0, times * MIN_PIECE_BYTES + more), st.integers(0, 4), st.integers(-2, 2))
LARGE = st.integers(0, 40_000_000_000)
STRIPS = st.lists(st.builds(Strip, SMALL | AROUND | LARGE, is_stored=st.just(value=True)), max_size=60)
AT_HAND = st.builds(Strip, st.integers(0, 100_000), is_stored=st.just(value=False))


def _size(piece: Piece) -> int:
    return sum(span.end - span.start for span in piece.spans)


def _check(strips: list[Strip], pieces: list[Piece]) -> None:
    spans = [span for piece in pieces for span in piece.spans]
    assert all(0 <= span.start < span.end for span in spans)
    for before, after in pairwise(spans):
        goes_on = after.strip == before.strip and after.start == before.end
        begins = after.strip > before.strip and after.start == 0 and before.end == strips[before.strip].size
        assert goes_on or begins
    assert sum(map(_size, pieces)) == sum(strip.size for strip in strips)
    assert len(pieces) <= MAX_PIECES
    assert all(_size(piece) >= MIN_PIECE_BYTES for piece in pieces[:-1])
    for piece in (piece for piece in pieces if piece.is_copied):
        [span] = piece.spans
        assert strips[span.strip].is_stored
        assert MIN_PIECE_BYTES <= _size(piece) <= min(MAX_COPY_BYTES, S3_COPY)


@given(AT_HAND, STRIPS, AT_HAND)
def test_every_byte_once_in_order_within_s3s_rules(before: Strip, stored: list[Strip], after: Strip) -> None:
    """A header, parts of any sizes, an end."""
    strips = [before, *stored, after]
    _check(strips, pieces_of(strips))


@given(st.lists(AT_HAND | st.builds(Strip, SMALL | AROUND, st.booleans()), max_size=40))
def test_little_goes_through_the_function(strips: list[Strip]) -> None:
    """What is gathered at once fits memory; of a large stored strip, at most its head is sent."""
    pieces = pieces_of(strips)
    _check(strips, pieces)
    largest_at_hand = max((strip.size for strip in strips if not strip.is_stored), default=0)
    gathered = [piece for piece in pieces if not piece.is_copied]
    assert all(_size(piece) < 2 * MIN_PIECE_BYTES + largest_at_hand for piece in gathered)
    for number, strip in enumerate(strips):
        sent = sum(span.end - span.start for piece in gathered for span in piece.spans if span.strip == number)
        assert not strip.is_stored or sent < 2 * MIN_PIECE_BYTES


@pytest.mark.parametrize("size", [4_200_000, MIN_PIECE_BYTES * 2, 499_000_000])
def test_as_many_as_s3_allows(size: int) -> None:
    """Ten thousand parts and more, up to the largest object that S3 takes."""
    strips = [Strip(size, is_stored=True)] * min(12_000, S3_OBJECT // size)
    _check(strips, pieces_of(strips))


def test_the_largest_object_there_can_be() -> None:
    """One part of five terabytes behind a header."""
    strips = [Strip(100, is_stored=False), Strip(S3_OBJECT - 100, is_stored=True)]
    _check(strips, pieces_of(strips))


def test_a_header_takes_the_head_of_the_part_behind_it() -> None:
    """The usual output: what is sent is just one piece, what follows is copied."""
    least, part = MIN_PIECE_BYTES, 42_000_000
    pieces = pieces_of([Strip(100, is_stored=False), Strip(part, is_stored=True), Strip(part, is_stored=True)])
    assert pieces == [
        Piece((Span(0, 0, 100), Span(1, 0, least - 100)), is_copied=False),
        Piece((Span(1, least - 100, part),), is_copied=True),
        Piece((Span(2, 0, part),), is_copied=True),
    ]


def test_bytes_at_hand_are_never_copied() -> None:
    """However many they are."""
    assert pieces_of([Strip(50_000_000, is_stored=False)]) == [Piece((Span(0, 0, 50_000_000),), is_copied=False)]


def test_nothing_makes_no_piece() -> None:
    """Also where there are strips, all of them empty."""
    assert pieces_of([]) == pieces_of([Strip(0, is_stored=False), Strip(0, is_stored=True)]) == []
