"""A store with files that are gone: before anything is paid the job fails, and after that it must not."""

from __future__ import annotations

import json

import pytest

from batchdrop.errors import AnswerStoreDamaged
from tests.fakes import START
from tests.remembering import DAY, Jobs


def _lose_runs(jobs: Jobs, ending: str = "") -> None:
    for key in [key for key in jobs.world.store.objects if "/runs/" in key and key.endswith(ending)]:
        del jobs.world.store.objects[key]


def test_a_split_fails_if_a_run_is_gone() -> None:
    """Nothing was sent by then. The message says which file, and what to do."""
    jobs = Jobs()
    jobs.run("a")
    _lose_runs(jobs, ".index")
    with pytest.raises(
        AnswerStoreDamaged, match=r"answers/r/runs/.*index: the run is gone\. Delete the recipe's folder"
    ):
        jobs.drop("a").split()


def test_runs_that_expired_are_not_needed() -> None:
    """The bucket deletes runs that are too old for any job; the next merge forgets their names."""
    jobs = Jobs()
    jobs.run("a")
    _lose_runs(jobs)
    assert jobs.run("a", at=START + 100 * DAY).status == "succeeded"
    assert jobs.statuses() == ["answered"]
    assert len(json.loads(jobs.world.store.read("answers/r/head.json"))["runs"]) == 1


def test_a_closing_that_cannot_publish_says_so() -> None:
    """The answers are paid, so the job is green; its note says that they may not be remembered."""
    jobs = Jobs()
    last = jobs.drop("a")
    last.split()
    last.ask(0)
    _lose_runs(jobs)
    summary = last.close()
    assert (summary.status, summary.tally.answered) == ("succeeded", 1)
    [note] = summary.notes
    assert note.startswith("the job's answers may not be remembered: answers/r/runs/")


def test_a_store_that_was_deleted_meanwhile_gets_nothing() -> None:
    """A new store has another secret, so the job's keys would not fit it."""
    jobs = Jobs()
    last = jobs.drop("a")
    last.split()
    del jobs.world.store.objects["answers/r/head.json"]
    last.ask(0)
    assert last.close().status == "succeeded"
    assert not jobs.answers.view("r").runs
    jobs.run("a")
    assert jobs.sent == 2


def test_a_late_attempt_of_a_published_run_changes_nothing() -> None:
    """A repeated collection writes the same run, and one that was published stays as it is."""
    jobs = Jobs()
    last = jobs.drop("a", "b")
    last.split()
    last.ask(0)
    before = jobs.world.store.under("answers/r/runs/")
    last.ask(0)
    assert jobs.world.store.under("answers/r/runs/") == before
    last.close()
    last.ask(0)
    assert jobs.world.store.under("answers/r/runs/") == before
