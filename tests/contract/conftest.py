"""The emulator that the contracts of the Claude API are tested against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator


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
