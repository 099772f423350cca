"""Jobs that escalate, on the real state machine: what is sent to which model, what it costs, and what faults change."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from batchdrop.finish.escalations import Escalations
from tests.faults.kinds import KINDS
from tests.faults.live_schedule import SMALL
from tests.faults.run import Report, claude, run
from tests.faults.schedule import MODEL, OTHER_MODEL, plain, schedule_of

ROWS = ("",) * 12


def _run(rows: tuple[str, ...] = ROWS, **changes: Any) -> tuple[Report, Counter[tuple[str, str]]]:
    """Run a calm job; return its report, and how many answers each model gave in each lane."""
    report = run(plain(rows, escalates=True, **changes))
    assert report.verdict.faults == []
    state = claude().state
    return report, Counter((entry.model, entry.lane) for entry in state.bill.entries(state.clock.now()))


def test_unsure_rows_go_to_the_other_model_in_one_more_message_batch() -> None:
    """The judge compares the output with the emulator's books, and the summary's cost with its bill."""
    report, bill = _run(shard_rows=12)
    assert report.endings == ["SUCCEEDED"]
    assert bill[MODEL, "batch"] == 12
    assert 0 < bill[OTHER_MODEL, "batch"] < 12


def test_the_live_lane_escalates_too() -> None:
    """In the lane of the job."""
    report, bill = _run(live=SMALL)
    assert report.endings == ["SUCCEEDED"]
    assert bill[MODEL, "live"] == 12
    assert 0 < bill[OTHER_MODEL, "live"] < 12


def test_a_late_job_escalates_in_the_live_lane() -> None:
    """What `finish_within` cancels, it sends live, to the same model."""
    _, bill = _run(live=replace(SMALL, lane="batch", finish_within=600), batch_seconds=450.0)
    assert bill[MODEL, "batch"] == 12
    assert bill[OTHER_MODEL, "live"] + bill[OTHER_MODEL, "batch"] > 0


def test_escalations_are_not_marked_for_the_prompt_cache() -> None:
    """The other model has not read the prefix: marking it would cost twice the input price."""
    report, _ = _run((*ROWS, *ROWS), shard_rows=12, pilot=True, primed=True, live=replace(SMALL, lane="batch"))
    assert report.endings == ["SUCCEEDED"]
    state = claude().state
    for entry in state.bill.entries(state.clock.now()):
        if entry.model == OTHER_MODEL:
            assert not entry.usage["cache_creation_input_tokens"]
            assert not entry.usage["cache_read_input_tokens"]


def test_a_cap_is_kept_and_a_higher_one_finishes_the_escalations() -> None:
    """The user doubles the cap before each resume; the judge looks at each bill."""
    report, bill = _run(max_cost_usd=0.0002, shard_rows=4, concurrency=1)
    assert report.endings[-1] == "SUCCEEDED"
    assert bill[MODEL, "batch"] == 12


def test_forgotten_escalations_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness can fail: a row that met `when` must reach the other model."""
    monkeypatch.setattr(Escalations, "waiting", lambda _self, *, most: set())
    faults = run(plain(ROWS, escalates=True)).verdict.faults
    assert any("the other model never got it" in fault for fault in faults)


def test_a_second_escalation_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness can fail: the other model is paid once for a row."""

    def again(self: Escalations, *, most: int) -> set[int]:
        return {row for row in self.claimed if self._tries[row] < most}

    monkeypatch.setattr(Escalations, "waiting", again)
    assert run(plain(ROWS, escalates=True)).verdict.paid_twice > 0


@pytest.mark.parametrize("seed", range(100, 108))
def test_escalation_survives_what_every_job_survives(seed: int) -> None:
    """Some of the schedules that `python -m tests.faults --kind escalated` runs."""
    report = run(KINDS["escalated"](schedule_of(seed)))
    assert report.verdict.faults == []
    assert (report.verdict.lost, report.verdict.paid_twice) == (0, 0)
