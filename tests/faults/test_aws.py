"""Schedules on Claude Platform on AWS in short, and faults of the product that they catch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane import settle_submission
from batchdrop.batch_lane.ports import BatchCreator
from batchdrop.errors import AccountTrouble
from tests.callers import ACCESS_KEY
from tests.faults.run import run, run_seed
from tests.faults.schedule import CREATE, AwsTrouble, Schedule, plain
from tests.faults.world import World
from tests.proofs import in_check

LOST_ANSWER = {"kind": "accept_then_drop", "endpoint": CREATE}
HOUR = 3600.0


@pytest.mark.parametrize("first", in_check([0, 10, 20], {10}))
def test_no_trouble_of_credentials_costs_a_row(first: int) -> None:
    """Expired, skewed, denied, moved: nothing is lost, and nothing is paid twice."""
    for seed in range(first, first + 10):
        report = run_seed(seed, kind="aws")
        assert not report.verdict.faults, f"seed {seed}: {report.verdict.faults} (make faults SEED={seed} KIND=aws)"


def _schedule(**settings: Any) -> Schedule:
    """Return a job whose create is lost, and whose credentials are in trouble while it is settled."""
    return plain(on_aws=True, faults=(LOST_ANSWER,), aws_troubles=(AwsTrouble(5.0, 2 * HOUR, settings),))


@pytest.mark.parametrize(
    "settings", [{"aws_expired_keys": [ACCESS_KEY]}, {"aws_denied_actions": ["ListBatchInferences"]}]
)
def test_a_refused_list_ends_the_job_red_and_a_resume_settles(settings: dict[str, Any]) -> None:
    """Between create and settle: account trouble. Nothing is sent again."""
    report = run(_schedule(**settings))
    assert not report.verdict.faults
    assert report.endings[0].startswith("FAILED")
    assert (report.endings[-1], report.verdict.billed) == ("SUCCEEDED", 3)


def test_a_wrong_clock_halts_nothing() -> None:
    """An hour apart: the clock is learnt, and the job succeeds at once."""
    report = run(_schedule(aws_skew_seconds=HOUR))
    assert not report.verdict.faults
    assert (report.endings, report.verdict.billed) == (["SUCCEEDED"], 3)


class _Trusting:
    """An API client that takes a refused list for an empty one."""

    def __init__(self, inner: BatchCreator) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def newest_first(self) -> Iterator[MessageBatch]:
        try:
            yield from self._inner.newest_first()
        except AccountTrouble:
            return


class _Trust(World):
    def batch_creator(self) -> BatchCreator:
        return _Trusting(super().batch_creator())


def test_taking_a_refusal_for_an_empty_list_is_caught() -> None:
    """Ours exists: it is sent again, and paid twice."""
    report = run(_schedule(aws_denied_actions=["ListBatchInferences"]), make=_Trust)
    assert report.verdict.paid_twice == 3


def test_taking_another_providers_list_for_ours_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack is moved between create and settle, and the key's list lacks what the role created."""
    schedule = plain(on_aws=True, faults=(LOST_ANSWER,), moved_at=(5.0, 3 * HOUR))
    assert not run(schedule).verdict.faults
    monkeypatch.setattr(settle_submission, "refuse_another_provider", lambda *_: None)
    monkeypatch.setattr(settle_submission, "why_another_workspace", lambda *_: "")
    assert run(schedule).verdict.paid_twice == 3
