"""A new account runs ten functions at once, of all jobs together. Nothing is lost while all are taken."""

from __future__ import annotations

import pytest

from tests.faults import engine
from tests.faults.live_schedule import SMALL
from tests.faults.run import Report, run, run_seed
from tests.faults.schedule import Account, Live, plain
from tests.upgrade.saved import old_machine

ALL_TAKEN = Account(others=((0.0, 30.0, 9), (30.4, 2400.0, 10)))  # by other jobs, for forty minutes
LANES = pytest.mark.parametrize("live", [None, SMALL], ids=["batch", "live"])


def _fine(report: Report) -> None:
    again = f"make faults SEED={report.seed} KIND=throttled"
    assert not report.verdict.faults, f"seed {report.seed}: {report.verdict.faults} ({again})"


@pytest.mark.parametrize("first", [0, 5])
def test_no_row_is_lost_in_a_small_account(first: int) -> None:
    """The S3 event, every call of the state machine and the queue's workers are throttled, beside all else."""
    for seed in range(first, first + 5):
        _fine(run_seed(seed, kind="throttled"))


@LANES
def test_a_job_waits_for_the_functions_of_other_jobs(live: Live | None) -> None:
    """It ends green in its first execution, as soon as it may, and no shard fails."""
    report = run(plain(("",) * 12, shard_rows=4, live=live, account=ALL_TAKEN))
    _fine(report)
    assert (report.endings, report.verdict.billed) == (["SUCCEEDED"], 12)
    assert report.counts["throttled"] >= 3


@LANES
def test_a_large_job_beside_three_others(live: Live | None) -> None:
    """Its own shards take all ten functions, and those of others come between."""
    others = tuple((start * 40.0, start * 40.0 + 30.0, 3) for start in range(100) for _ in range(3))
    report = run(plain(("",) * 40, shard_rows=2, concurrency=20, live=live, account=Account(others=others)))
    _fine(report)
    assert (report.endings, report.verdict.billed) == (["SUCCEEDED"], 40)
    assert report.counts["throttled"]


def test_a_minute_of_tries_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state machine of version 0.1.0 tried six times, and its shards failed."""
    monkeypatch.setattr(engine, "definition", old_machine)
    report = run(plain(("",) * 12, shard_rows=4, account=ALL_TAKEN))
    assert report.endings[0] != "SUCCEEDED"
