"""What contracts are tested against: the emulator of the Claude API, the object stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from tests.contract.buckets import Bucket, fake_bucket, s3_bucket


@pytest.fixture(scope="module")
def running() -> Iterator[RunningEmulator]:
    """One emulator for this module."""
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running: RunningEmulator) -> RunningEmulator:
    """The emulator, with nothing on it."""
    running.reset()
    return running


@pytest.fixture(params=["fake", "s3"])
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """The fake, then S3 as moto serves it."""
    if request.param == "fake":
        yield fake_bucket()
        return
    with mock_aws():
        yield s3_bucket()
