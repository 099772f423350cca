"""Bytes become parts of one size, whatever they come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.s3_multipart import PartBuffer


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
