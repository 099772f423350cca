"""The live lane's time limits nest: each ends before the one around it. docs/architecture.md has the table."""

from __future__ import annotations

import re
from typing import Any

import pytest

from batchdrop.adapters.claude.messages import CONNECT_SECONDS
from batchdrop.limits import LEDGER_KEPT, LIVE_LIFETIME, LONGEST_LIVE_ANSWER, MAX_LIVE_TOKENS
from batchdrop.live_lane.answer_requests import BEAT_SECONDS, LEASE_SECONDS, TICK_SECONDS
from batchdrop.live_lane.expected_seconds import LEAST_EXPECTED, LEAST_LEARNED, STREAMED_AFTER
from batchdrop.live_lane.slice_sender import FLUSH_RESERVE, LEASE_MARGIN
from tests.project import ROOT, definition, template

RESOURCES: dict[str, Any] = template()["Resources"]
WORKER: dict[str, Any] = RESOURCES["AnswerRequestsFunction"]["Properties"]
QUEUE: dict[str, Any] = RESOURCES["SliceQueue"]["Properties"]
_SHARD = definition()["States"]["Send every shard"]["ItemProcessor"]["States"]
TASK: dict[str, Any] = _SHARD["Answer slices"]["ItemProcessor"]["States"]["Answer requests"]
RECEIVES: int = QUEUE["RedrivePolicy"]["maxReceiveCount"]

LIMITS: dict[str, float] = {
    "connect": CONNECT_SECONDS,
    "answer": LONGEST_LIVE_ANSWER,
    "worker": WORKER["Timeout"],
    "lease renewal and heartbeat": BEAT_SECONDS,
    "lease": LEASE_SECONDS,
    "message visibility": QUEUE["VisibilityTimeout"],
    "task heartbeat": TASK["HeartbeatSeconds"],
    "request": LIVE_LIFETIME.total_seconds(),
    "task": TASK["TimeoutSeconds"],
    "message retention": QUEUE["MessageRetentionPeriod"],
}
"""The rows of the table."""


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("connect", "answer"),
        ("answer", "worker"),
        ("lease renewal and heartbeat", "lease"),
        ("lease", "message visibility"),
        ("worker", "message visibility"),
        ("message visibility", "task heartbeat"),
        ("task heartbeat", "request"),
        ("request", "task"),
        ("task", "message retention"),
    ],
)
def test_limits_nest(inner: str, outer: str) -> None:
    """The outer one is longer."""
    assert LIMITS[inner] < LIMITS[outer]


def test_a_worker_has_time_for_the_longest_answer_and_its_flush() -> None:
    """… and for the beginning: to read its slice, and to wait for its first permits."""
    start = WORKER["Timeout"] - LONGEST_LIVE_ANSWER - FLUSH_RESERVE
    assert start >= 30
    assert LEAST_LEARNED <= LEAST_EXPECTED < LONGEST_LIVE_ANSWER
    assert MAX_LIVE_TOKENS == 29_866


def test_a_lease_survives_renewals_that_fail() -> None:
    """Three of them, with the margin between two clocks."""
    assert LEASE_SECONDS - LEASE_MARGIN.total_seconds() > 3 * BEAT_SECONDS + TICK_SECONDS


def test_a_task_outlives_its_last_open_answers() -> None:
    """The requests end after a day; the open ones are waited for, and the worker reports to a task that still waits."""
    assert LIMITS["task"] >= LIMITS["request"] + LIMITS["worker"]


def test_a_heartbeat_outlives_the_deliveries_of_a_message() -> None:
    """A worker is killed, and killed again: the message comes back, and its task still waits."""
    assert LIMITS["task heartbeat"] > RECEIVES * LIMITS["message visibility"]


def test_the_ledger_outlives_all() -> None:
    """It holds leases and tries."""
    assert LEDGER_KEPT.total_seconds() > LIMITS["message retention"]


def test_no_connection_idles_for_as_long_as_a_gateway_allows() -> None:
    """The shortest limit of gateways and NATs is a minute."""
    assert STREAMED_AFTER <= 60


def test_the_worker_may_hand_back_for_a_day() -> None:
    """Lambda stops SQS, function, SQS after about 16 turns; the code has its own bound."""
    assert WORKER["RecursiveLoop"] == "Allow"


def test_the_table_has_these_numbers() -> None:
    """`docs/architecture.md` states each of them."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z ]+) \| ([\d,]+) s \|", page, re.MULTILINE))
    assert {name: float(seconds.replace(",", "")) for name, seconds in rows.items()} == LIMITS
