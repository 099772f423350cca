"""Packs of a small model, whose unsure rows go to another model, in packs too."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.cli.job.row_story import row_story
from batchdrop.report.pack_block import PackBlock
from tests.emulated_job import EmulatedJob, emulated_job
from tests.jobs import JOB
from tests.packs.jobs import RULE, output, rows_of, sent, table

SMALL, OTHER = "claude-haiku-5-5", "claude-sonnet-5-5"
UNSURE: dict[str, Any] = {"unsure_rates": {SMALL: 0.3, OTHER: 0.0}}


def recipe(pack: object = 10, when: str = "confidence < 0.6", more: str = "") -> str:
    """Return a recipe with packs and escalation."""
    return (
        f"model: {SMALL}\nlane: batch\nmax_tokens: 64\nsystem: '{RULE * 40}'\nprompt: '{{{{ x }}}}'\n"
        "answer: {label: {enum: [good, bad]}, confidence: number}\n"
        f"pack: {pack}\nescalate: {{to: {OTHER}, when: [{when}]}}\n{more}"
    )


def models(job: EmulatedJob, round_number: int) -> Counter[str]:
    """Return how many rows a round sent to each model."""
    counted: Counter[str] = Counter()
    for request in sent(job, round_number):
        counted[request["params"]["model"]] += rows_of(request)
    return counted


def test_unsure_rows_share_requests_to_the_other_model() -> None:
    """Each row has one answer of its model in the output; both bills are in the summary."""
    with emulated_job(table(100), recipe=recipe(), **UNSURE) as job:
        summary = job.run()
        assert summary.tally.answered == 100
        assert models(job, 1) == {SMALL: 100}
        unsure = models(job, 2)[OTHER]
        assert 15 <= unsure <= 45
        assert models(job, 2) == {OTHER: unsure}
        assert len(sent(job, 2)) == -(-unsure // 10)
        assert not sent(job, 3)
        assert Counter(row["_model"] for row in output(job)) == {SMALL: 100 - unsure, OTHER: unsure}
        assert all(float(row["confidence"]) >= 0.6 for row in output(job))
        assert summary.escalation is not None
        assert summary.escalation.rows == summary.escalation.answered == unsure


def test_both_levers_cost_less_than_each() -> None:
    """Packs in both rounds: less than escalation alone, and less than packs on the other model alone."""
    bills: dict[str, Decimal] = {}
    for name, text in {
        "both": recipe(20),
        "escalation": recipe("null"),
        "packs": recipe(20).replace(SMALL, OTHER).replace(f"to: {OTHER}", f"to: {SMALL}").replace("< 0.6", "< -1"),
    }.items():
        with emulated_job(table(100), recipe=text, **UNSURE) as job:
            job.run()
            bills[name] = job.bill
    assert bills["both"] < bills["escalation"] / 2
    assert bills["both"] < bills["packs"] * Decimal("0.6")


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_a_row_that_the_other_models_pack_missed_goes_alone(rate: float) -> None:
    """It is sent alone to that model, outside `max_rounds`; meanwhile its first answer stays."""
    with emulated_job(table(60), recipe=recipe(10, more="max_rounds: 1\n"), **UNSURE) as job:
        job.split()
        state = job.first_wave()
        job.ask()
        unsure = models(job, 2)[OTHER]
        assert state.requests
    with emulated_job(table(60), recipe=recipe(10, more="max_rounds: 1\n"), **UNSURE) as job:
        job.split()
        job.state_of_api.change({"pack_missing_rate": 0.0})
        original = job.collect_round

        def spoil(state: object) -> object:
            found = original(state)  # type: ignore[arg-type] # it is a ShardState
            job.state_of_api.change({"pack_missing_rate": rate if models(job, 2) and not sent(job, 3) else 0.0})
            return found

        job.collect_round = spoil  # type: ignore[assignment,method-assign] # the emulator's packs get worse between two rounds
        summary = job.run()
        assert models(job, 1) == {SMALL: 60}
        assert models(job, 2) == {OTHER: unsure}
        alone = models(job, 3)
        assert 0 < alone[OTHER] <= unsure
        assert all(rows_of(one) == 1 for one in sent(job, 3))
        assert not sent(job, 4)
        assert summary.tally.answered == 60
        assert Counter(row["_model"] for row in output(job))[OTHER] == unsure


def test_a_row_that_its_first_pack_missed_is_escalated_by_its_own_answer() -> None:
    """It goes alone to the recipe's model first, and only then its answer is judged."""
    with emulated_job(table(40, r7="[[pack_missing]]"), recipe=recipe(), unsure_rates={SMALL: 1.0, OTHER: 0.0}) as job:
        summary = job.run()
        assert summary.tally.answered == 40
        assert models(job, 2) == {SMALL: 1, OTHER: 39}
        assert models(job, 3)[OTHER] == 1
        story = row_story(job.store, JOB, 8)
        assert [bool(one.pack) for one in story.rounds] == [True, False, False]
        assert story.rounds[2].escalated == "confidence < 0.6"
        assert {row["_model"] for row in output(job)} == {OTHER}


def test_an_unpaid_pack_of_the_other_model_is_sent_again_as_it_was() -> None:
    """Then its rows go alone; rows that are answered stay."""
    body = table(20, r3="[[errored:api_error]]")
    with emulated_job(body, recipe=recipe(10, more="max_rounds: 3\n"), unsure_rates={SMALL: 1.0, OTHER: 0.0}) as job:
        summary = job.run()
        assert summary.tally.answered + summary.tally.failed == 20
        assert summary.tally.failed == 1


def test_the_cap_holds_the_other_models_packs() -> None:
    """A job with a cap sends the same packs, in more rounds."""
    with emulated_job(table(100), recipe=recipe(), **UNSURE) as job:
        job.run()
        bill = job.bill
    with emulated_job(table(100), recipe=recipe(more=f"max_cost_usd: {float(bill) * 4:.6f}\n"), **UNSURE) as job:
        assert job.run().tally.answered == 100
        assert job.bill == bill


def test_a_resume_after_a_halt_sends_no_answered_row_again() -> None:
    """The job is canceled between both models' rounds; its first answers count until the resume."""
    with emulated_job(table(60), recipe=recipe(), **UNSURE) as job:
        job.split()
        state = job.first_wave()
        batch = job._followed(state)
        found = job.collect(batch, round_number=1)
        assert found.leftovers
        paid = job.charges["requests"]
        summary = job.run()
        assert summary.tally.answered == 60
        assert job.charges["requests"] - paid == len(sent(job, 2))
        assert isinstance(summary.packs, PackBlock)
        assert summary.packs.packs == len(sent(job, 1)) + len(sent(job, 2))


def test_a_packs_answer_keeps_to_both_models_limits() -> None:
    """The other model's smaller limit makes smaller packs."""
    with emulated_job(table(20), recipe=recipe(20)) as job:
        job.store.write("recipes/models.yaml", f"models: {{{OTHER}: {{max_tokens: 400}}}}".encode())
        job.run()
        assert {*map(rows_of, sent(job, 1))} == {5}
