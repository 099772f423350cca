"""A cap under which a job goes live in waves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.live_schedule import SMALL
from tests.faults.run import run, run_seed
from tests.faults.schedule import plain

NO_ANSWER = "[[errored:api_error]]"
STOPPED = plain(
    (NO_ANSWER, NO_ANSWER, NO_ANSWER, *[""] * 9),
    live=replace(SMALL, slice_requests=2, flush_lines=1),
    goes_in_waves=True,
    max_cost_usd=0.006,
    max_rounds=1,
    stormy_resumes=1,
)


@pytest.mark.parametrize("seed", range(6))
def test_a_cap_in_the_live_lane_loses_nothing_and_pays_nothing_twice(seed: int) -> None:
    """Some of the schedules that `python -m tests.faults --kind live_waves` runs."""
    report = run_seed(seed, kind="live_waves")
    assert not report.verdict.faults, f"seed {report.seed}: {report.verdict.faults}"


def test_a_resume_keeps_the_body_of_a_live_round() -> None:
    """A resume has one round more. Once, the rows that had used up theirs moved into slices of answered rows."""
    report = run(replace(STOPPED, stop_at=18.0))
    assert not report.verdict.faults
    assert report.endings == ["ABORTED", "SUCCEEDED"]
