"""What every Clock promises: the fake and the invocation's clock alike."""

from datetime import timedelta

import pytest

from batchdrop.adapters.aws.clock import InvocationClock
from batchdrop.ports import Clock
from tests.fakes import FakeClock


@pytest.fixture(params=["fake", "invocation"])
def clock(request: pytest.FixtureRequest) -> Clock:
    """The fake, then the clock of a Lambda invocation with 900 s left."""
    return FakeClock() if request.param == "fake" else InvocationClock(lambda: 900_000)


def test_time_is_in_utc(clock: Clock) -> None:
    """Times are aware and in UTC, so that they can be compared with the API's."""
    assert clock.now().utcoffset() == timedelta(0)


def test_time_does_not_run_backwards(clock: Clock) -> None:
    """A later look is not earlier."""
    assert clock.now() <= clock.now()


def test_remaining_is_in_seconds(clock: Clock) -> None:
    """Lambda counts milliseconds, the use cases seconds."""
    assert clock.remaining() == 900.0


def test_the_fake_runs_out_after_its_looks() -> None:
    """The fake's time ends after the given number of looks, and stays ended."""
    clock = FakeClock(looks=2)
    assert [clock.remaining() for _ in range(4)] == [900.0, 900.0, 0.0, 0.0]
