"""A recipe with `remember`: what an earlier job paid for is not paid for again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.report.summary import RememberedBlock
from tests.fakes import START, FakeBatchApi, echo
from tests.remembering import DAY, RECIPE, Jobs


def test_a_file_that_is_sent_again_costs_nothing() -> None:
    """All rows are remembered: no Message Batch is created, the output is the same, and the job is green."""
    jobs = Jobs()
    jobs.run("a", "b", "c")
    first = jobs.last.result("output.csv").decode()
    summary = jobs.run("a", "b", "c")
    assert (jobs.sent, summary.status, summary.cost.usd) == (3, "succeeded", Decimal(0))
    assert jobs.last.result("output.csv").decode() == first.replace(",answered,", ",remembered,")


def test_a_changed_row_is_sent_alone() -> None:
    """A file with one new row pays for one row; the rows stay in their order."""
    jobs = Jobs()
    jobs.run("a", "b", "c")
    summary = jobs.run("a", "new", "c")
    assert (jobs.sent, jobs.statuses()) == (4, ["remembered", "answered", "remembered"])
    assert isinstance(summary.remembered, RememberedBlock)
    assert summary.remembered.rows == 2
    assert summary.remembered.saved_usd
    assert summary.tally.answered == 3


def test_what_was_remembered_is_remembered_again() -> None:
    """Answers keep the age of their first answer: 90 days after it they are paid again."""
    jobs = Jobs()
    jobs.run("a")
    jobs.run("a", at=START + 60 * DAY)
    jobs.run("a", at=START + 89 * DAY)
    assert jobs.sent == 1
    jobs.run("a", at=START + 91 * DAY)
    assert (jobs.sent, jobs.statuses()) == (2, ["answered"])


def test_another_question_is_a_new_row() -> None:
    """A recipe that changes what is sent makes all rows new; one that changes only its cap makes none new."""
    jobs = Jobs()
    jobs.run("a")
    jobs.run("a", recipe=RECIPE.replace("ask", "tell"))
    assert jobs.sent == 2
    jobs.run("a", recipe=RECIPE + "max_cost_usd: 5\nmax_tokens: 2000\n")
    assert (jobs.sent, jobs.statuses()) == (2, ["remembered"])


def test_other_rules_for_an_answer_make_its_row_new() -> None:
    """`escalate`, `betas` and `answer` decide which answer counts, though they are not in `params`."""
    jobs = Jobs()
    jobs.run("a")
    jobs.run("a", recipe=RECIPE + "betas: [some-beta]\n")
    jobs.run("a", recipe=RECIPE + "escalate: {to: claude-sonnet-5-5, when: [refusal]}\n")
    assert jobs.sent == 3


def test_a_recipe_without_remember_keeps_nothing() -> None:
    """Neither look-up nor store: nothing is below `answers/`."""
    jobs = Jobs(RECIPE.replace("remember: 90d", ""))
    jobs.run("a")
    jobs.run("a")
    assert (jobs.sent, jobs.world.store.under("answers/")) == (2, {})


def test_only_answered_rows_are_stored() -> None:
    """A cut answer is paid, and is not the answer to keep."""

    def cut(request: dict[str, Any]) -> dict[str, Any]:
        message = msgspec.convert(echo(request), dict[str, Any])
        message["message"]["stop_reason"] = "max_tokens"
        return message

    jobs = Jobs(api=FakeBatchApi(result_of=cut))
    jobs.run("a")
    jobs.run("a")
    assert jobs.sent == 2


def test_duplicates_share_a_remembered_answer() -> None:
    """Equal rows are looked up once and all remembered; `saved` counts their answer once."""
    jobs = Jobs()
    jobs.run("a")
    one = jobs.run("a")
    three = jobs.run("a", "a", "a")
    assert jobs.sent == 1
    assert jobs.statuses() == ["remembered"] * 3
    assert isinstance(one.remembered, RememberedBlock)
    assert isinstance(three.remembered, RememberedBlock)
    assert three.remembered.rows == 3
    assert three.remembered.saved_usd == one.remembered.saved_usd


def test_rows_of_many_shards_are_remembered() -> None:
    """Each shard writes a run; shards with hits only are never sent, and stand between those that are."""
    jobs = Jobs(rows=2)
    old = [f"old {number}" for number in range(6)]
    jobs.run(*old)
    summary = jobs.run(old[0], old[1], "new 1", old[2], old[3], old[4], "new 2")
    assert (jobs.sent, summary.status, summary.shards) == (8, "succeeded", 4)
    assert jobs.statuses() == ["remembered"] * 2 + ["answered"] + ["remembered"] * 3 + ["answered"]


def test_many_jobs_merge_their_runs() -> None:
    """After many jobs, the store still knows all answers, in a few runs."""
    jobs = Jobs()
    values = [f"row {number}" for number in range(12)]
    for value in values:
        jobs.run(value)
    summary = jobs.run(*values)
    assert (jobs.sent, summary.cost.usd) == (12, Decimal(0))
    assert len(jobs.answers.view("r").runs) <= 8


def test_a_split_in_pieces_remembers_what_one_in_one_piece_does() -> None:
    """Each attempt of a split reads the view that the first one fixed, although the store has grown since."""
    jobs = Jobs(rows=2)
    jobs.run("a", "b")
    last = jobs.drop("a", "x", "b", "y", "c", "z")
    progress = last.split(looks=2)
    assert not progress.finished
    jobs.run("x", "y", "z", "c")
    last.run()
    jobs.last = last
    assert jobs.statuses() == ["remembered", "answered"] * 2 + ["answered"] * 2


def test_a_job_that_ends_red_gives_its_answers_to_the_store() -> None:
    """What it paid for is remembered, although its second shard failed."""
    jobs = Jobs(rows=1)
    last = jobs.drop("a", "b")
    while not last.split().finished:
        pass
    last.ask(0)
    assert last.close().status == "failed"
    jobs.run("a", "b")
    assert (jobs.sent, jobs.statuses()) == (2, ["remembered", "answered"])


def test_a_resumed_job_keeps_its_pins() -> None:
    """A resume joins with the answers that were pinned, although they have expired meanwhile."""
    jobs = Jobs(rows=2)
    jobs.run("a")
    last = jobs.drop("a", "b", "c")
    while not last.split().finished:
        pass
    last.close()
    last.clock.advance((89 * DAY + timedelta(hours=1)).total_seconds() / 10)
    last.resume()
    assert last.run().status == "succeeded"
    jobs.last = last
    assert jobs.statuses() == ["remembered", "answered", "answered"]
    assert jobs.sent == 3


def test_the_columns_on_request() -> None:
    """`answered_at` and `answered_by` say which job paid; `cost` is 0."""
    recipe = RECIPE + "output: {add: [answered_at, answered_by, cost]}\n"
    jobs = Jobs(recipe)
    jobs.run("a")
    jobs.run("a", "b", at=START + DAY)
    first, second = (line.split(",") for line in jobs.last.result("output.csv").decode().splitlines()[1:])
    assert (first[2], first[4]) == (f"{START:%Y-%m-%dT%H:%M:%SZ}", "0.0")
    assert first[3]
    assert (second[2], second[3]) == ("", "")
    assert float(second[4]) > 0
