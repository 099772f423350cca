"""`remember` with packs, escalation, caps, samples, the live lane and retries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.job.submission import Halt
from batchdrop.report.summary import Summary
from tests.emulated_job import emulated_job
from tests.fakes import START, FakeBatchApi, succeeded
from tests.finish.samples import SampledWorld
from tests.jobs import JOB, World
from tests.packs.jobs import answers, packed, table
from tests.remembering import RECIPE, Jobs

KEPT = "remember: 90d\n"


def _next(world: World, body: bytes, recipe: str, *, number: int = 2) -> Summary:
    """Drop another file of the recipe, and run its job."""
    world.drop(f"inbox/r/g{number}.csv", body, recipe=recipe)
    world.upload = msgspec.structs.replace(world.upload, job_id=f"20261122T13000{number}-0123456789")
    return World.run(world)


def test_answers_from_packs_serve_packs_only() -> None:
    """The same file costs nothing with packs, and is sent without them; what was sent alone serves both."""
    with emulated_job(table(20), recipe=packed(10, KEPT)) as job:
        job.run()
        before = answers(job)
        again = _next(job, table(20), packed(10, KEPT))
        assert (again.cost.usd, again.tally.statuses) == (Decimal(0), {"remembered": 20})
        assert [row[:2] for row in answers(job)] == [row[:2] for row in before]
        assert _next(job, table(20), packed("null", KEPT), number=3).tally.statuses == {"answered": 20}
        assert _next(job, table(20), packed("null", KEPT), number=4).cost.usd == 0
        assert _next(job, table(20), packed(5, KEPT), number=5).cost.usd == 0


def test_packs_are_drawn_from_new_rows() -> None:
    """Ten new rows among ten that are remembered make one pack."""
    with emulated_job(table(10), recipe=packed(10, KEPT)) as job:
        job.run()
        billed = job.charges["requests"]
        summary = _next(job, table(20), packed(10, KEPT))
        assert summary.tally.statuses == {"remembered": 10, "answered": 10}
        assert job.charges["requests"] == billed + 1


def test_the_escalated_answer_is_remembered() -> None:
    """The second model's answer counts, so it is kept; the row is not escalated again."""
    recipe = (
        "model: claude-haiku-5-5\nprompt: '{{ x }}'\nanswer: {label: string, confidence: number}\n"
        f"escalate: {{to: claude-sonnet-5-5, when: confidence >= 0}}\noutput: {{add: [model]}}\n{KEPT}"
    )
    with emulated_job(b"x\none\ntwo\n", recipe=recipe) as job:
        job.run()
        paid = job.bill
        assert _next(job, b"x\none\ntwo\n", recipe).tally.statuses == {"remembered": 2}
        assert job.bill == paid
        assert job.result("output.csv").count(b"claude-sonnet-5-5") == 2


def test_a_cap_holds_nothing_for_remembered_rows() -> None:
    """A cap that lets two rows through lets any number of remembered rows through."""
    recipe = f"model: claude-haiku-5-5\nmax_tokens: 64\nprompt: '{{{{ x }}}}'\n{KEPT}"
    rows = [f"row {number}" for number in range(40)]
    body = "".join(f"{line}\n" for line in ["x", *rows]).encode()
    with emulated_job(body, recipe=recipe) as job:
        job.run()
        capped = f"{recipe}max_cost_usd: 0.0005\n"
        summary = _next(job, body + b"new 1\nnew 2\n", capped)
        assert summary.tally.statuses == {"remembered": 40, "answered": 2}
        assert not summary.faults


def test_the_live_lane_keeps_answers_too() -> None:
    """A live job gives its answers to the store, and finds those of others."""
    jobs = Jobs(live_rows=10)
    jobs.run("a", "b")
    assert jobs.statuses() == ["answered", "answered"]
    jobs.run("a", "b", "c")
    assert jobs.statuses() == ["remembered", "remembered", "answered"]
    assert jobs.sent == 0


@pytest.mark.parametrize("again", [False, True])
def test_a_retry_finds_what_another_job_paid(*, again: bool) -> None:
    """A row that failed is answered by another job; the retry of the first one costs nothing, but for --again."""
    broken: set[str] = {"ask b"}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        prompt = request["params"]["messages"][0]["content"]
        return succeeded(prompt, stop_reason="refusal" if prompt in broken else "end_turn")

    jobs = Jobs(api=FakeBatchApi(result_of=answer))
    jobs.run("a", "b")
    first = jobs.last
    assert jobs.statuses() == ["answered", "refusal"]
    broken.clear()
    jobs.run("b")
    order = order_retry(Wanted(again=again), first.upload, store=first.store, now=first.clock.now())
    first.upload = order.record
    summary = first.run()
    jobs.last = first
    assert jobs.statuses() == ["answered", "answered" if again else "remembered"]
    assert jobs.sent == 3 + again
    assert summary.status == "succeeded"


def test_the_answers_of_a_retry_are_kept() -> None:
    """What a version paid for serves the next file."""
    broken: set[str] = {"ask b"}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        prompt = request["params"]["messages"][0]["content"]
        return succeeded(prompt, stop_reason="refusal" if prompt in broken else "end_turn")

    jobs = Jobs(api=FakeBatchApi(result_of=answer))
    jobs.run("a", "b")
    broken.clear()
    world = jobs.last
    world.upload = order_retry(Wanted(), world.upload, store=world.store, now=world.clock.now()).record
    assert world.run().status == "succeeded"
    jobs.run("a", "b")
    assert (jobs.statuses(), jobs.sent) == (["remembered", "remembered"], 3)


def test_a_sample_of_remembered_rows_is_shown() -> None:
    """The first shard has remembered rows only: the sample shows their answers, and the rest waits for its approval."""
    recipe = f"{RECIPE}sample: 2\n"
    world = SampledWorld(rows=2)
    world.drop("inbox/r/f.csv", b"x\na\nb\n", recipe=recipe)
    world.run()
    body = b"x\na\nb\nnew 1\nnew 2\n"
    world.drop("inbox/r/g.csv", body, recipe=recipe)
    world.upload = msgspec.structs.replace(world.upload, job_id=JOB.replace("120000", "130000"), uploaded_at=START)
    assert world.split().asks == "sample"
    shown = world.show()
    assert shown.rest == "wait"
    assert world.result("sample.csv").count(b"remembered") == 2


def test_a_canceled_job_keeps_its_remembered_rows() -> None:
    """Nothing was sent: the rows that are remembered are answered all the same."""
    jobs = Jobs()
    jobs.run("a")
    last = jobs.drop("a", "b")
    last.split()
    last.ledger.halt(last.upload.job_id, Halt("JobCanceled", "by the user", last.clock.now()))
    last.close()
    jobs.last = last
    assert jobs.statuses() == ["remembered", "canceled"]


def test_emulated_jobs_cost_what_the_emulator_bills() -> None:
    """The bill of three files, each a row longer, is that of the longest one."""
    recipe = f"model: claude-haiku-5-5\nprompt: '{{{{ x }}}}'\n{KEPT}"
    with emulated_job(b"x\none\n", recipe=recipe) as job:
        costs = [job.run().cost.usd]
        costs += [_next(job, body, recipe, number=n).cost.usd for n, body in _growing()]
        assert sum(filter(None, costs)) == job.bill
        assert job.charges["requests"] == 3


def _growing() -> list[tuple[int, bytes]]:
    return [(2, b"x\none\ntwo\n"), (3, b"x\none\ntwo\nthree\n")]
