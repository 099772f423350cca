"""How the tests are spread over workers: what starts a stack first, and whatever shares one on one worker.

A stack takes seconds to start, then mostly waits. So the tests that share one are a unit of work, the long units begin
first, and the many quick files fill the cores while stacks wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import pytest
from xdist.scheduler import LoadScopeScheduling

# Their tests share the session's stack; but for test_formats, which has one of its own.
ONE_STACK = "tests/end_to_end/"
OWN_STACK = "tests/end_to_end/test_formats.py"
# Units that take longer than all others, longest first: begun last, they would run alone in the end.
LONGEST = (
    ONE_STACK,
    "tests/docs/test_commands.py",
    "tests/deploy/test_deploy.py",
    "tests/cli/test_session.py",
    "tests/cli/test_output_matrix.py",
    OWN_STACK,
)
# Long files whose tests share nothing that is slow to make: each test is a unit.
LOOSE = (
    "tests/benchmarks/test_smoke.py",
    "tests/cli/test_make_demo_killed.py",
    "tests/cli/test_run.py",
    "tests/cli/test_run_killed.py",
    "tests/faults/test_schedules.py",
    "tests/local/test_process_hygiene.py",
    "tests/security/test_api_key.py",
)


class StacksFirst(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
    """Gives each worker whole units, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """Return the unit of work that a test belongs to."""
    path = nodeid.partition("::")[0]
    if path in LOOSE:
        return nodeid
    return ONE_STACK if path.startswith(ONE_STACK) and path != OWN_STACK else path


T = TypeVar("T", bound=pytest.Item)


def in_order(items: Iterable[T]) -> list[T]:
    """Return tests in the order in which they begin: the longest units, what else starts a stack, then all others."""

    def rank(item: T) -> tuple[int, bool]:
        unit, is_last = unit_of(item.nodeid), item.get_closest_marker("last") is not None
        if unit in LONGEST:
            return LONGEST.index(unit), is_last
        return len(LONGEST) + (item.get_closest_marker("stack") is None), is_last

    return sorted(items, key=rank)
