"""Packs in the live lane: nothing is lost or paid twice, and the judge notices each rule that is broken on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import pytest

from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.result_line import errored_line
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.live_lane import tries
from tests.faults.kinds import KINDS
from tests.faults.live_schedule import SMALL
from tests.faults.live_world import LiveWorld
from tests.faults.run import Report, claude, run, run_seed
from tests.faults.schedule import Rates, Schedule, plain, schedule_of
from tests.faults.test_live_harness_can_fail import Forgetful, NoIndex

ROWS = ("", "", "[[pack_missing]]", "", "", "")
LONGER = (*ROWS, *ROWS)
PACKED: Schedule = plain(ROWS, pack=3, live=SMALL)


class _AnsweredAgain(LiveWorld):
    """Each row of a pack is sent alone, too."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        def all_rows(index: AnswerIndex) -> set[int]:
            return {row for row in index.rows_with(Verdict.ANSWERED) if index.attempts(row) == 1}

        with super().sizes(), patch.object(AnswerIndex, "missed", all_rows):
            yield


class _WrongRows(LiveWorld):
    """The join takes the pack's rows in another order."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        own = PackMembers.pack_of

        def turned(members: PackMembers, first: int) -> list[int]:
            return own(members, first)[::-1]

        with super().sizes(), patch.object(PackMembers, "pack_of", turned):
            yield


class _LostAgain(LiveWorld):
    """A pack whose answers were lost counts as unpaid, so a later round sends it again."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        def unpaid(custom_id: str, message: str, *, lost: int) -> bytes:
            return errored_line(custom_id, "api_error", message, lost=lost)

        with super().sizes(), patch.object(tries, "uncertain_line", unpaid):
            yield


def _storms(rates: Rates, *, seeds: int = 4, rows: tuple[str, ...] = LONGER) -> list[Schedule]:
    live = replace(SMALL, slice_requests=12)
    return [plain(rows, seed=seed, pack=3, is_grouped=seed % 2 > 0, live=live, rates=rates) for seed in range(seeds)]


def _lanes() -> tuple[int, int]:
    """Return how many requests the emulator billed in the batch lane and in the live lane."""
    state = claude().state
    lanes = [entry.lane for entry in state.bill.entries(state.clock.now())]
    return lanes.count("batch"), lanes.count("live")


def _fine(report: Report) -> None:
    assert not report.verdict.faults, f"seed {report.seed}: {report.verdict.faults}"


@pytest.mark.parametrize("seed", range(6))
def test_live_packs_lose_nothing_and_pay_nothing_twice(seed: int) -> None:
    """Some of the schedules that `python -m tests.faults --kind live_packs` runs."""
    _fine(run_seed(seed, kind="live_packs"))


def test_a_resume_keeps_the_body_of_a_live_round_that_was_collected() -> None:
    """Once, a resumed job wrote other packs into it, and then looked there for the pack that it had to repeat."""
    _fine(run_seed(30, kind="live_packs"))


def test_a_resume_is_not_halted_by_what_an_earlier_round_refused() -> None:
    """Under a cap of one request a round, the refused pack waits. Once, each round halted the job for it again."""
    _fine(run(replace(KINDS["live_packs"](schedule_of(168)), max_cost_usd=0.00077662)))


@pytest.mark.parametrize("is_grouped", [False, True])
def test_a_calm_live_job_pays_each_pack_once(*, is_grouped: bool) -> None:
    """And the row that its pack missed once, alone."""
    report = run(replace(PACKED, is_grouped=is_grouped, rows=LONGER))
    _fine(report)
    assert report.endings == ["SUCCEEDED"]
    assert (_lanes()[0], _lanes()[1]) == (0, report.verdict.billed)
    assert report.verdict.billed < len(LONGER)


def test_the_leftovers_of_packs_go_live() -> None:
    """The packs are answered in a Message Batch, and the row that its pack missed in the live lane."""
    live = replace(SMALL, lane="batch", leftovers_live=True)
    report = run(replace(PACKED, live=live))
    _fine(report)
    assert (report.endings, _lanes()) == (["SUCCEEDED"], (2, 1))


def test_a_late_job_sends_its_packs_live() -> None:
    """`finish_within` cancels the Message Batch of packs; each pack is sent again as it was."""
    live = replace(SMALL, lane="batch", finish_within=60)
    report = run(replace(PACKED, live=live, batch_seconds=3600.0))
    _fine(report)
    assert report.endings == ["SUCCEEDED"]
    assert _lanes()[1] == 3


@pytest.mark.parametrize(
    ("make", "schedules", "says"),
    [
        (_AnsweredAgain, [PACKED], "was answered in a pack, and sent again"),
        (_WrongRows, [PACKED], "an answer that is not its own"),
        (NoIndex, _storms(Rates(crash=0.05), seeds=12), "had flushed"),
        (NoIndex, _storms(Rates(crash=0.05), seeds=12), "the pack of rows"),
        (Forgetful, _storms(Rates()), "did not flush it"),
        (_LostAgain, _storms(Rates(lost_answer=0.7)), "was sent again in a later round"),
    ],
    ids=["answered", "join", "index", "twice", "flush", "lost"],
)
def test_what_is_broken_is_caught(make: type[LiveWorld], schedules: list[Schedule], says: str) -> None:
    """The judge cries in one schedule at least, and in none of them where the product is whole."""
    broken = [fault for schedule in schedules for fault in run(schedule, make=make).verdict.faults]
    assert any(says in fault for fault in broken), broken
    assert [fault for schedule in schedules for fault in run(schedule).verdict.faults] == []
