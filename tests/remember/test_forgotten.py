"""Jobs and answers that are forgotten: before a job, while it runs, and by the subject of a row."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.answer_store.forgotten import Tombstone, subject_id
from batchdrop.cli.forget.in_bucket import Bucket, ForgetInBucket, Way
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.errors import UploadRejected
from batchdrop.job.layout import JobKeys
from tests.eraser import FakeEraser
from tests.fakes import START
from tests.remembering import DAY, RECIPE, Jobs

LATER = int((START + DAY).timestamp())
WITH_SUBJECT = f"{RECIPE}subject: x\n"


def _subject(jobs: Jobs, value: str) -> str:
    return subject_id(jobs.answers.secret("r"), value)


def _stored(jobs: Jobs) -> list[Answer]:
    lines = [
        line
        for key, body in jobs.world.store.objects.items()
        if key.startswith("answers/r/runs/") and key.endswith(".jsonl")
        for line in body.splitlines()
    ]
    return [msgspec.json.decode(line, type=Answer) for line in lines]


def test_a_forgotten_row_is_paid_again() -> None:
    """The others are remembered. The recipe changed since: the id of a subject does not."""
    jobs = Jobs()
    jobs.run("ann", "bob", recipe=WITH_SUBJECT)
    jobs.answers.forget("r", Tombstone(LATER, subjects=(_subject(jobs, "ann"),)))
    jobs.run("ann", "bob", recipe=f"{WITH_SUBJECT}max_tokens: 99\n", at=START + 2 * DAY)
    assert (jobs.sent, jobs.statuses()) == (3, ["answered", "remembered"])
    jobs.run("ann", "bob", recipe=WITH_SUBJECT, at=START + 3 * DAY)
    assert (jobs.sent, jobs.statuses()) == (3, ["remembered", "remembered"])


def test_each_stored_answer_names_its_subject() -> None:
    """Duplicates share the first row's; a recipe without the key names none."""
    jobs = Jobs()
    jobs.run("ann", "bob", "ann", recipe=WITH_SUBJECT)
    assert sorted(one.subject for one in _stored(jobs)) == sorted(_subject(jobs, name) for name in ("ann", "bob"))
    others = Jobs()
    others.run("ann")
    assert [one.subject for one in _stored(others)] == [""]


def test_a_file_without_the_column_is_refused() -> None:
    """Nobody could find its rows later."""
    with pytest.raises(UploadRejected, match=r"no column 'who', which the recipe's `subject` names \(columns: x\)"):
        Jobs().drop("a", recipe=f"{RECIPE}subject: who\n").split()


def test_what_is_forgotten_while_a_job_runs_is_not_in_its_output() -> None:
    """The job has looked the answer up, and copied it. Its row fails, and the job still adds up."""
    jobs = Jobs()
    jobs.run("ann", "bob", recipe=WITH_SUBJECT)
    running = jobs.drop("ann", "bob", "new", recipe=WITH_SUBJECT)
    running.split()
    jobs.answers.forget("r", Tombstone(LATER, subjects=(_subject(jobs, "ann"),)))
    running.ask()
    summary = running.close()
    jobs.last = running
    assert (jobs.statuses(), summary.tally.failed) == (["failed", "remembered", "answered"], 1)
    assert b"was forgotten while the job ran" in running.result("output.csv")
    assert jobs.sent == 3


def test_a_job_that_paid_before_cannot_bring_it_back() -> None:
    """It was asked before the tombstone, and publishes its answer after it."""
    jobs = Jobs()
    running = jobs.drop("ann", recipe=WITH_SUBJECT)
    running.split()
    jobs.answers.forget("r", Tombstone(LATER, subjects=(_subject(jobs, "ann"),)))
    running.ask()
    running.close()
    assert len(_stored(jobs)) == 1
    jobs.run("ann", recipe=WITH_SUBJECT)
    assert (jobs.sent, jobs.statuses()) == (2, ["answered"])


def test_a_store_that_is_forgotten_whole() -> None:
    """Nothing is remembered of what came before."""
    jobs = Jobs()
    jobs.run("a", "b")
    BucketAnswerStore(jobs.world.store).forget("r", Tombstone(LATER, everything=True))
    jobs.run("a", "b", at=START + 2 * DAY)
    assert jobs.sent == 4


def test_the_copies_of_other_jobs_are_cleared() -> None:
    """A row of the first file is forgotten. The second job keeps its files and its output, but not that answer."""
    jobs = Jobs()
    jobs.run("ann", "bob")
    first = jobs.last.upload.job_id
    jobs.run("ann", "bob")
    second = jobs.last
    pins = JobKeys(second.upload.job_id).remembered(0)
    eraser = FakeEraser(jobs.world.store, old={pins})
    wanted = Wanted("r", frozenset({first}), frozenset({1}))
    report = ForgetInBucket(Bucket(jobs.world.store, eraser), wanted, Way(LATER, is_dry=False)).run()
    assert pins in {one.place for one in report.removed}
    [gone, kept] = jobs.world.store.read(pins).splitlines()
    assert (b"ann" in gone, b"bob" in kept, eraser.old) == (False, True, set())
    assert b"ann" in second.result("output.csv")
    jobs.run("ann", "bob", at=START + 2 * DAY)
    assert (jobs.sent, jobs.statuses()) == (3, ["answered", "remembered"])
    assert second.close().tally.failed == 1
