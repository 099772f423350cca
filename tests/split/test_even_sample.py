"""A sample of a stream whose length nobody knows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.split.even_sample import EvenSample


def _sampled(many: int, size: int, **limits: int) -> list[int]:
    sample = EvenSample(size, **limits)
    for number in range(many):
        sample.offer(b"%06d" % number)
    return [int(one) for one in sample.requests]


@given(st.integers(0, 3_000), st.integers(1, 60))
def test_it_is_spread_over_the_whole(many: int, size: int) -> None:
    """In order, none twice, from the first on, and no gap much larger than another; a short stream is taken whole."""
    taken = _sampled(many, size)
    assert taken == sorted(set(taken))
    assert len(taken) == many if many <= size else size / 2 < len(taken) <= size
    ends = [*taken, many] if many else []
    gaps = [after - before for before, after in pairwise(ends)]
    assert taken[:1] == [0][:many]
    assert max(gaps, default=0) <= 4 * many / max(1, len(taken)) + 1


def test_it_holds_no_more_bytes_than_it_may() -> None:
    """Requests with files are large: fewer of them, still from everywhere; one is always there."""
    taken = _sampled(1_000, 50, most_bytes=60)
    assert 2 <= len(taken) <= 10
    assert taken[-1] > 400
    assert _sampled(5, 50, most_bytes=1) == [0]
