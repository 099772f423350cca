"""An emulator as good as new for each test, its clock standing still, and the official SDK pointed at it."""

from collections.abc import Iterator

import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[RunningEmulator]:
    """One server for all tests: to start one and to end it takes longer than most of them."""
    with running_emulator() as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: RunningEmulator) -> RunningEmulator:
    """An emulator with nothing in it, whose clock moves only by `advance`."""
    shared_emulator.reset()
    return shared_emulator


@pytest.fixture(scope="session")
def shared_client(shared_emulator: RunningEmulator) -> Iterator[Anthropic]:
    """One client, for its TLS context takes long to make."""
    with Anthropic(api_key="sk-test", base_url=shared_emulator.base_url, max_retries=0, timeout=30) as sdk:
        yield sdk


@pytest.fixture
def client(shared_client: Anthropic, emulator: RunningEmulator) -> Anthropic:
    """The synchronous SDK, with no retries, on a fresh emulator."""
    del emulator
    return shared_client
