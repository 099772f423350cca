"""A counted sample: by how much it scales the estimate, and how sure that is."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.errors import AccountTrouble, RateLimited
from batchdrop.money.estimate import INPUT_BAND
from batchdrop.split.count_sample import AT_ONCE, LEAST_BAND, count_sample
from tests.counting_fakes import FakeTokenCounter


def _params(size: int) -> bytes:
    asked = {"role": "user", "content": "word " * size}
    return msgspec.json.encode({"model": "claude-haiku-5-5", "max_tokens": 64, "messages": [asked]})


SAMPLE = [_params(size) for size in range(1, 41)]


class _Uneven(FakeTokenCounter):
    """Counts twice as many tokens in every second request."""

    def count(self, params: bytes) -> int:
        return super().count(params) * (2 if len(params) % 2 else 1)


@pytest.mark.parametrize("times", [0.5, 1.0, 1.7])
def test_the_ratio_is_what_the_counter_says(times: float) -> None:
    """Where all requests differ alike, the band is as narrow as it gets."""
    counted = count_sample(SAMPLE, FakeTokenCounter(times=times))
    assert counted.ratio == pytest.approx(times, rel=0.01)
    assert (counted.requests, counted.asked, counted.band) == (40, 40, LEAST_BAND)


def test_requests_that_differ_widen_the_band() -> None:
    """Twice the standard error; it covers the truth here, which is all 40."""
    counted = count_sample(SAMPLE, _Uneven())
    assert 1.2 < counted.ratio < 1.8
    assert LEAST_BAND < counted.band < 0.3


def test_one_request_says_nothing_of_the_spread() -> None:
    """The band stays what it is without counting."""
    assert count_sample(SAMPLE[:1], FakeTokenCounter()).band == INPUT_BAND


def test_a_rate_limit_ends_it_early() -> None:
    """What is counted by then holds, and is told; it is a fair part of the sample."""
    counter = FakeTokenCounter(room=2 * AT_ONCE + 3, times=1.5)
    counted = count_sample(SAMPLE, counter)
    assert (counted.requests, counted.asked) == (2 * AT_ONCE, 40)
    assert counted.ratio == pytest.approx(1.5, rel=0.01)
    assert max(map(len, counter.counted)) > len(SAMPLE[25])


def test_nothing_counted_is_not_an_estimate() -> None:
    """Its reason is raised."""
    with pytest.raises(RateLimited):
        count_sample(SAMPLE, FakeTokenCounter(room=0))
    with pytest.raises(AccountTrouble):
        count_sample(SAMPLE, FakeTokenCounter(key_is_good=False))
