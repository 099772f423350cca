"""The short form of `make faults` for the live lane: some of its schedules, and those that once found something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.live_schedule import HALTED, SMALL
from tests.faults.live_world import LiveWorld, UncollectedWorld
from tests.faults.run import Report, run, run_seed
from tests.faults.schedule import Rates, plain

IN_SHORT = 20
PART = 5
REDELIVERED = (23, 63)  # a message came again when its task had ended, and was asked again
ROWS = ("",) * 12


def _fine(report: Report) -> None:
    again = f"make faults SEED={report.seed} KIND=live"
    assert not report.verdict.faults, f"seed {report.seed}: {report.verdict.faults} ({again})"


@pytest.mark.parametrize("first", range(0, IN_SHORT, PART))
def test_nothing_is_lost_and_nothing_is_paid_twice_but_for_what_was_lost(first: int) -> None:
    """What was flushed is not asked again; what was paid for and not flushed was lost by a crash, or on its way."""
    for seed in range(first, first + PART):
        _fine(run_seed(seed, kind="live"))


@pytest.mark.parametrize("seed", REDELIVERED)
def test_what_once_failed(seed: int) -> None:
    """Seeds of `make faults` that found something."""
    _fine(run_seed(seed, kind="live"))


@pytest.mark.parametrize("seed", [10, 63])
def test_a_run_is_the_same_each_time(seed: int) -> None:
    """A seed that fails can be replayed: what happens, and when, depends on nothing else."""
    runs = (run_seed(seed, kind="live") for _ in range(2))
    first, again = ([line.split("msgbatch_")[0] for line in one.trace if "req_" not in line] for one in runs)
    assert first == again


def test_a_calm_job_is_paid_for_once() -> None:
    """Without a crash and without a lost answer there is nothing to explain."""
    report = run(plain(ROWS, live=SMALL))
    _fine(report)
    assert (report.verdict.billed, report.endings) == (12, ["SUCCEEDED"])
    assert not any(name.startswith("paid") for name in report.counts)


def test_answers_that_are_lost_on_their_way_are_asked_again_and_counted() -> None:
    """They are paid for, nobody saw them, and the bill's surplus has a reason."""
    report = run(plain(ROWS, live=SMALL, rates=Rates(lost_answer=0.3)))
    _fine(report)
    lost = report.counts["paid, not seen: answer lost on its way"]
    assert lost
    assert 12 <= report.verdict.billed <= 12 + lost  # a row whose two answers are lost is uncertain


def test_a_redelivered_message_of_a_round_that_is_over_is_not_asked() -> None:
    """The halt ended its task, the resumed job answered its rows in a later round, and its deletion had been lost."""
    report = run(HALTED)
    _fine(report)
    assert (report.verdict.billed, report.endings[0], report.endings[-1]) == (6, "FAILED JobFailed", "SUCCEEDED")
    assert report.counts["SQS redelivery"]


def test_what_was_flushed_is_in_the_output_of_a_job_that_failed() -> None:
    """Though its round was never collected; when the job is resumed, nothing of it is asked again."""
    report = run(plain(ROWS, live=SMALL), make=UncollectedWorld)
    _fine(report)
    assert (report.verdict.billed, report.endings) == (12, ["FAILED JobFailed", "SUCCEEDED"])


@pytest.mark.parametrize("latency", [200.0, 90.0])
def test_answers_that_take_longer_than_the_function_are_handed_on(latency: float) -> None:
    """Near its time a worker opens no more, and gives the rest back to the queue, with the same token."""
    live = replace(SMALL, latency=latency)
    report = run(plain(ROWS, live=live, max_rounds=4), make=LiveWorld)
    _fine(report)
    assert report.endings == ["SUCCEEDED"]
