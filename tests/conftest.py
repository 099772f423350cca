"""Settings of all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from batchdrop.settings import ANTHROPIC, AWS
from tests.scheduling import StacksFirst, in_order

if TYPE_CHECKING:
    from xdist.remote import Producer

# No deadline: the examples share two cores with other tests. `thorough` is for `make faults`.
for profile, examples in {"check": 25, "thorough": 500}.items():
    settings.register_profile(
        profile, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=examples
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "check")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose the provider of the Claude API for whole jobs: `--provider aws`."""
    parser.addoption("--provider", choices=(ANTHROPIC, AWS), default=ANTHROPIC, help="provider of the Claude API")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first."""
    items[:] = in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> StacksFirst:
    """Spread the tests over workers by what they share; units keep the order of the tests."""
    config.option.loadscopereorder = False
    return StacksFirst(config, log)
