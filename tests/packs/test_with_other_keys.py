"""Packs with the recipe's other keys: `finish_within`, `retry`, `sample`; and a resume after a halt."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.errors import JobCanceled
from batchdrop.job.submission import Halt
from tests.emulated_job import emulated_job
from tests.jobs import JOB
from tests.packs.grouped import grouped, questions
from tests.packs.jobs import answer_live, output, packed, rows_of, sent, table


def test_finish_within_sends_open_packs_live() -> None:
    """The Message Batch is canceled at the deadline, and the same packs go through the live lane."""
    with emulated_job(table(30), recipe=packed(10, "finish_within: 10m\n")) as job:
        job.split()
        state = job.first_wave()
        state = msgspec.structs.replace(state, batch_id=job._followed(state))
        found = job.collect_round(state)
        assert (found.leftovers, found.lane) == (3, "live")
        assert sorted(map(str, sent(job, 2))) == sorted(map(str, sent(job, 1)))
        state = state.collected(leftovers=found.leftovers, lane=found.lane, worst_usd=found.worst_usd)
        answer_live(job, 2)
        assert job.collect_round(state).leftovers == 0
        assert job.close().tally.answered == 30


def test_an_invalid_answer_of_a_row_alone_is_retried() -> None:
    """The pack that cannot be read does not count: `retry` is for the row's own answers."""
    body = table(20, r3="[[invalid_json]]")
    with emulated_job(body, recipe=packed(10, "retry: {invalid: 1}\n")) as job:
        summary = job.run()
        assert (summary.tally.answered, summary.tally.unusable) == (19, 1)
        assert [len(sent(job, number)) for number in (1, 2, 3, 4)] == [2, 10, 1, 0]


def test_a_cut_answer_of_a_row_alone_is_sent_with_twice_the_limit() -> None:
    """Its pack was cut first; alone it is cut again, and only then the limit is raised."""
    body = table(20, r19="[[max_tokens]]")
    with emulated_job(body, recipe=packed(10, "retry: {max_tokens: x2}\n")) as job:
        job.run()
        limits = [one["params"]["max_tokens"] for number in (2, 3) for one in sent(job, number)]
        assert limits.count(128) == 1
        assert {*limits} == {64, 128}


def test_a_sample_is_packed_by_itself() -> None:
    """The first 20 rows share requests among themselves, so that they can be shown before the others are sent."""
    with emulated_job(table(60), recipe=packed(10, "sample: 20\n")) as job:
        job.split()
        assert [item.requests for item in job.manifest.shards] == [20, 40]
        job.ask(0)
        assert job.charges["requests"] == 2
        job.ask(1)
        assert job.close().tally.answered == 60
        assert job.charges["requests"] == 6


@pytest.mark.parametrize("is_grouped", [False, True])
def test_a_resume_after_a_halt_sends_only_what_is_left(*, is_grouped: bool) -> None:
    """The job is canceled after its first shard; the other rows are canceled, and the resume sends them in packs."""
    body = questions(6, 10) if is_grouped else table(60)
    with emulated_job(body, recipe=grouped() if is_grouped else packed()) as job:
        job.rows = 30
        job.split()
        job.ask(0)
        job.ledger.halt(JOB, Halt(JobCanceled.__name__, "canceled by the user", job.clock.now()))
        job.ask(1)
        summary = job.close()
        assert summary.tally.statuses == {"answered": 30, "canceled": 30}
        assert len(output(job)) == 60
        paid = job.charges["requests"]
        job.resume()
        assert job.run().tally.answered == 60
        assert job.charges["requests"] == 2 * paid
        assert {*map(rows_of, job.requests(1, 1))} == {10}
