"""The functions' world: moto, the emulator, and a log that is caught."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.settings import AWS
from tests.functions.lambdas import Functions, cloud, forget, use_aws


@pytest.fixture(scope="session")
def emulator() -> Iterator[RunningEmulator]:
    """One emulator for all functions; its clock moves only when told."""
    with running_emulator() as running:
        yield running


@pytest.fixture
def functions(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> Iterator[Functions]:
    """The functions on an empty cloud, with the provider of `--provider`."""
    emulator.reset()
    if pytestconfig.getoption("--provider") == AWS:
        use_aws(emulator)
    forget()
    with mock_aws():
        yield Functions(cloud(emulator), monkeypatch)
    forget()
