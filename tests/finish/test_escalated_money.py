"""Escalation and money, on the emulator: its bill judges caps, waves and the price of both models."""

from __future__ import annotations

import csv
import io
from collections import Counter
from decimal import Decimal

import pytest

from tests.emulated_job import EmulatedJob, emulated_job
from tests.jobs import KEYS, reviews

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
RECIPE = f"""model: {HAIKU}
lane: batch
max_tokens: 100
dedupe: false
prompt: 'Review: {{{{ x }}}}'
answer: {{label: {{enum: [good, bad]}}, confidence: number}}
escalate: {{to: {SONNET}, when: confidence < 0.8}}
"""
UNSURE = {HAIKU: 0.4, SONNET: 0.2}
ROWS = 60


def _answers(job: EmulatedJob) -> Counter[str]:
    return Counter(entry.model for entry in job.entries())


def _models(job: EmulatedJob) -> Counter[str]:
    return Counter(row["_model"] for row in csv.DictReader(io.StringIO(job.result("output.csv").decode())))


def _free(rows: int = ROWS) -> tuple[Decimal, Counter[str]]:
    with emulated_job(reviews(rows), recipe=RECIPE, unsure_rates=UNSURE) as job:
        job.run()
        return job.bill, _answers(job)


def test_the_bill_is_the_sum_of_both_models_answers() -> None:
    """The summary, the budget's books and the emulator agree to the last digit."""
    with emulated_job(reviews(ROWS), recipe=RECIPE, unsure_rates=UNSURE) as job:
        summary = job.run()
        assert summary.escalation is not None
        assert summary.escalation.rows == _answers(job)[SONNET] > 0
        assert sum(one.usd or 0 for one in summary.escalation.models) == summary.cost.usd == job.bill
        assert _models(job) == {HAIKU: ROWS - summary.escalation.rows, SONNET: summary.escalation.rows}


@pytest.mark.parametrize("room", [0.9, 1.0, 1.5, 3.0, 30.0])
def test_a_cap_is_kept_and_a_raised_one_finishes(room: float) -> None:
    """Holds are the other model's worst case. A job that stops keeps what it paid, and pays no row twice later."""
    bill, answers = _free()
    cap = f"{float(bill) * room:.8f}"
    with emulated_job(reviews(ROWS), recipe=f"{RECIPE}max_cost_usd: {cap}\n", unsure_rates=UNSURE) as job:
        summary = job.run()
        assert job.bill <= Decimal(cap)
        if summary.status == "failed":
            assert summary.faults[0].type == "BudgetReached"
            assert _models(job)[HAIKU] + _models(job)[SONNET] == summary.tally.answered
            job.store.write("recipes/r.yaml", f"{RECIPE}max_cost_usd: 100\n".encode())
            job.resume()
            summary = job.run()
        assert summary.status == "succeeded"
        assert (job.bill, _answers(job)) == (bill, answers)


def test_a_job_in_waves_escalates_with_the_recipes_own_limit() -> None:
    """Escalated rows are never limited; what our limit cut is first sent again, and then judged."""
    recipe = RECIPE.replace("max_tokens: 100", "max_tokens: 2000").replace("confidence <", "max_tokens or confidence <")
    _, answers = _free(30)
    with emulated_job(reviews(30), recipe=f"{recipe}max_cost_usd: 0.0149\n", unsure_rates=UNSURE) as job:
        summary = job.run()
        assert job.manifest.waves
        assert summary.status == "succeeded"
        assert _answers(job) == answers
        rounds = [number for number in range(1, 50) if job.store.exists(KEYS.requests(0, number))]
        sent = [request["params"] for number in rounds for request in job.requests(round_number=number)]
        assert {one["max_tokens"] for one in sent if one["model"] == SONNET} == {2000}
        assert job.bill < Decimal("0.0149")
