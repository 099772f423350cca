"""Bytes become parts of one size, whatever they come in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.aws.s3_multipart import SMALL, PartBuffer


@given(st.lists(st.binary(max_size=40)), st.integers(1, 17))
def test_parts_are_full_but_for_the_last(writes: list[bytes], size: int) -> None:
    """Every byte once and in order; each part but the rest has just that size."""
    parts: list[bytes] = []
    buffer = PartBuffer(lambda part: parts.append(bytes(part)), size=size)
    for data in writes:
        buffer.write(data)
    rest = bytes(buffer.rest())
    assert b"".join([*parts, rest]) == b"".join(writes)
    assert {len(part) for part in parts} <= {size}
    assert len(rest) < size


def test_one_buffer_serves_all_parts() -> None:
    """A part is the buffer itself: what it costs is paid once."""
    seen: list[int] = []
    buffer = PartBuffer(lambda part: seen.append(id(part)), size=4)
    for start in range(0, 16, 3):
        buffer.write(b"0123456789abcdef"[start : start + 3])
    assert len(seen) == 4
    assert len(set(seen)) == 1


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, 3 * SMALL])
@pytest.mark.parametrize("each", [SMALL // 3, SMALL, 2 * SMALL + 1])
def test_what_is_large_gets_a_whole_buffer(size: int, each: int) -> None:
    """The step from a growing buffer to a whole one loses nothing."""
    parts: list[bytes] = []
    buffer = PartBuffer(lambda part: parts.append(bytes(part)), size=size)
    body = random.Random(1).randbytes(5 * each)
    for start in range(0, len(body), each):
        buffer.write(body[start : start + each])
    assert b"".join([*parts, bytes(buffer.rest())]) == body
    assert {len(part) for part in parts} <= {size}
