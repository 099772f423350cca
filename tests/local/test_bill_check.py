"""The check that all whole jobs of a stack pass through can fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bill_check import BillCheck

JOB = "20261122T120000-0123456789"


class _Bill:
    """As much of an emulator as the check uses."""

    def __init__(self, *usd: str, lane: str = "batch") -> None:
        named = JOB if lane == "batch" else None
        self._entries = [{"custom_id": named and f"{named}-00000-000000", "lane": lane, "usd": one} for one in usd]

    def bill(self) -> list[dict[str, Any]]:
        """Return the entries."""
        return self._entries


def _summary(usd: str | None, *, lane: str = "batch", worst: str = "0", lane_usd: str | None = None) -> bytes:
    lanes = [{"lane": lane, "usd": float(lane_usd or usd or 0)}]
    cost = {"usd": None if usd is None else float(usd)}
    return json.dumps({"cost": cost, "lanes": lanes, "perhaps_paid": {"worst_usd": float(worst)}}).encode()


def _check(bill: _Bill, summary: bytes | None) -> None:
    BillCheck(bill).check(JOB, summary)  # type: ignore[arg-type]  # as much of it as is used


@pytest.mark.parametrize("lane", ["batch", "live"])
def test_a_summary_must_be_the_bill(lane: str) -> None:
    """Too little and too much are both caught, in either lane."""
    _check(_Bill("0.001", "0.002", lane=lane), _summary("0.003", lane=lane))
    for wrong in ("0.0029", "0.0031"):
        with pytest.raises(AssertionError, match="the bill is"):
            _check(_Bill("0.001", "0.002", lane=lane), _summary(wrong, lane=lane))


def test_what_is_perhaps_paid_may_be_in_the_bill() -> None:
    """Up to its highest cost."""
    _check(_Bill("0.003"), _summary("0.002", worst="0.001"))
    with pytest.raises(AssertionError):
        _check(_Bill("0.0031"), _summary("0.002", worst="0.001"))


def test_the_lanes_must_be_the_cost() -> None:
    """And a job without a summary may cost nothing."""
    with pytest.raises(AssertionError, match="lanes"):
        _check(_Bill("0.003"), _summary("0.003", lane_usd="0.002"))
    with pytest.raises(AssertionError, match="no summary"):
        _check(_Bill("0.003"), None)
    _check(_Bill("0.003"), _summary(None))
