"""A job whose requests might cost more than its cap goes in waves: few Message Batches, and the cap is kept."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.admission.budget import Seen, Wave
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.cap_forecast import CapForecast, cap_forecast
from batchdrop.job.job_files import shape_of
from tests.emulated_job import EmulatedJob, emulated_job
from tests.jobs import JOB, KEYS

ROOM = 4_000
TEXT = f"model: claude-haiku-5-5\nlane: batch\nmax_tokens: {ROOM}\nprompt: 'yes or no: {{{{ x }}}}'\n"
TYPED = f"{TEXT}answer: {{label: {{enum: [good, bad]}}}}\ndedupe: false\n"
WORST = Decimal(f"{ROOM}") * Decimal("0.25") / 10**6  # dollars of one answer of `max_tokens`, in the batch lane


def _table(rows: int, **kinds: str) -> bytes:
    """Return a CSV file; `kinds` are words for the emulator, by row: `r7="[[long:300]]"`."""
    return "".join(f"{text}\n" for text in ["x", *(f"row {n} {kinds.get(f'r{n}', '')}" for n in range(rows))]).encode()


def _capped(recipe: str, rows_at_once: float) -> str:
    """Return the recipe with a cap under which so many requests fit, with their own `max_tokens`."""
    return f"{recipe}max_cost_usd: {WORST * Decimal(rows_at_once) * Decimal('1.1'):.8f}\n"


def _statuses(job: EmulatedJob) -> list[str]:
    return [row["_status"] for row in csv.DictReader(io.StringIO(job.result("output.csv").decode()))]


def _waves(job: EmulatedJob) -> dict[str, Wave]:
    return JobBudget(JOB, job.states, job.clock).state().waves


def _sent(job: EmulatedJob, round_number: int) -> dict[int, int]:
    """Return the `max_tokens` of each row that a round sent."""
    return {
        int(request["custom_id"][-6:]): request["params"]["max_tokens"]
        for request in job.requests(round_number=round_number)
    }


def test_a_cap_makes_few_message_batches_and_costs_nothing() -> None:
    """A first wave shows that answers are short; with that, all others fit under the cap at once."""
    with emulated_job(_table(600), recipe=TEXT) as free:
        free.run()
        bill = free.bill
    with emulated_job(_table(600), recipe=_capped(TEXT, 60)) as job:
        summary = job.run()
        assert (summary.status, summary.tally.answered) == ("succeeded", 600)
        assert (job.message_batches, len(job.manifest.shards)) == (2, 1)
        assert job.bill == bill
        first, rest = (_sent(job, number) for number in (1, 2))
        assert {*first.values()} == {ROOM}
        assert {*rest.values()} < {*range(8, 100)}
        assert sorted([*first, *rest]) == [*range(600)]


def test_the_bound_of_a_typed_answer_needs_no_first_wave() -> None:
    """The longest of `good` and `bad`, with its braces, is far below `max_tokens`: one Message Batch."""
    with emulated_job(_table(300), recipe=_capped(TYPED, 60)) as job:
        assert job.run().tally.answered == 300
        assert cap_forecast(job.manifest, shape_of(job.manifest)) == CapForecast(1, 1, 0)
        assert job.message_batches == 1
        assert {*_sent(job, 1).values()} < {*range(20, 100)}


def test_thinking_keeps_its_max_tokens() -> None:
    """Its budget is compared with `max_tokens`, so a smaller one would be refused."""
    thinks = f"{TYPED}params: {{thinking: {{type: enabled, budget_tokens: 2000}}}}\n"
    with emulated_job(_table(50), recipe=_capped(thinks, 30)) as job:
        job.run()
        assert {limit for number in (1, 2) for limit in _sent(job, number).values()} == {ROOM}


@pytest.mark.parametrize("rounds", [1, 3])
def test_what_our_limit_cut_is_sent_again_with_the_recipes_own(rounds: int) -> None:
    """Once, outside `max_rounds`: the row is answered, both answers are in the bill, and no other row is paid twice."""
    body = _table(400, r300="[[long:900]]", r301="[[long:900]]")
    with emulated_job(body, recipe=_capped(f"{TEXT}max_rounds: {rounds}\n", 60)) as job:
        summary = job.run()
        assert (summary.status, summary.tally.answered) == ("succeeded", 400)
        assert _sent(job, 3) == {300: ROOM, 301: ROOM}
        assert job.charges["requests"] == 402
        assert job.charges["duplicate_custom_ids"] == 2
        assert [*_waves(job).values()][-1] == Wave(2, 0)


def test_what_the_recipes_own_limit_cuts_stays_cut() -> None:
    """In the first wave, or after our own limit cut it before: `max_tokens`, paid, and not sent a third time."""
    body = _table(400, r0="[[long:9000]]", r300="[[long:9000]]")
    with emulated_job(body, recipe=_capped(TEXT, 60)) as job:
        summary = job.run()
        statuses = _statuses(job)
        assert (statuses[0], statuses[300]) == ("max_tokens", "max_tokens")
        assert summary.tally.answered == 398
        assert job.charges["requests"] <= 401


def test_a_limit_above_the_recipes_own_is_none() -> None:
    """One of the first answers is long, so that four times its length says nothing: no cut answer is taken for ours."""
    body = _table(120, r0="[[long:2000]]", r100="[[long:9000]]")
    with emulated_job(body, recipe=_capped(TEXT, 60)) as job:
        job.run()
        assert {wave.limit for wave in _waves(job).values()} == {0}
        assert job.charges["requests"] == 120


def test_unpaid_rows_keep_their_rounds() -> None:
    """An expired row is sent with the next wave, and no oftener after the last one than `max_rounds` says."""
    body = _table(400, r3="[[expired]]", r4="[[expired_once]]", r350="[[expired]]")
    with emulated_job(body, recipe=_capped(f"{TEXT}max_rounds: 2\n", 60)) as job:
        assert job.run().tally.answered == 398
        assert 350 in _sent(job, 3)
        assert not job.store.exists(KEYS.requests(0, 4))


def test_a_cap_below_the_true_cost_is_kept() -> None:
    """The job stops with what was answered; a raised cap goes on with the rest, and pays nothing twice."""
    recipe = TEXT.replace(f"{ROOM}", "64")
    with emulated_job(_table(400), recipe=f"{recipe}max_cost_usd: 0.0003\n") as job:
        summary = job.run()
        assert (summary.status, summary.faults[0].type) == ("failed", "BudgetReached")
        assert {*_statuses(job)} == {"answered", "over_budget"}
        assert Decimal("0.0002") < job.bill <= Decimal("0.0003")
        job.store.write("recipes/r.yaml", f"{recipe}max_cost_usd: 1\n".encode())
        job.resume()
        assert job.run().tally.answered == 400
        assert job.charges["requests"] == 400


def test_rows_that_were_never_sent_are_no_leftovers() -> None:
    """`on_leftovers: live` is for the few rows that a round left. The rows of a later wave keep the batch price."""
    recipe = f"{_capped(TEXT, 60)}on_leftovers: live\nlive_rows: 600\n"
    with emulated_job(_table(600), recipe=recipe) as job:
        assert job.run().tally.answered == 600
        assert (job.message_batches, job.charges["requests"]) == (2, 600)


def test_a_round_is_planned_once() -> None:
    """Whatever comes between: each attempt writes the same create body, and the first plan stays."""
    with emulated_job(_table(400), recipe=_capped(TEXT, 60)) as job:
        job.split()
        state = job.first_wave()
        body = job.store.read(KEYS.requests(0, 1))
        JobBudget(JOB, job.states, job.clock).settle(7, 0, Decimal(0), Seen(200, 5))
        assert job.first_wave() == state
        assert job.store.read(KEYS.requests(0, 1)) == body
        assert len(json.loads(body)["requests"]) == state.requests


def test_check_says_how_many_message_batches() -> None:
    """It simulates the waves with the expected answers, which are longer than these: the job makes no more."""
    recipe = TEXT.replace(f"{ROOM}", "64")
    with emulated_job(_table(300), recipe=f"{recipe}max_cost_usd: 0.0021\n") as job:
        job.run()
        forecast = cap_forecast(job.manifest, shape_of(job.manifest))
        assert forecast is not None
        assert 1 < job.message_batches <= forecast.message_batches <= 6


def test_a_cap_that_is_too_small_leaves_requests() -> None:
    """It says about how many."""
    recipe = TEXT.replace(f"{ROOM}", "64")
    with emulated_job(_table(300), recipe=f"{recipe}max_cost_usd: 0.0003\n") as job:
        job.split()
        forecast = cap_forecast(job.manifest, shape_of(job.manifest))
        assert forecast is not None
        assert 100 < forecast.requests_left < 300


def test_a_cap_that_holds_the_whole_job_changes_nothing() -> None:
    """No waves, the recipe's own `max_tokens`, one round."""
    with emulated_job(_table(30), recipe=_capped(TEXT, 60)) as job:
        job.run()
        found: Any = job.manifest
        assert not found.waves
        assert not _waves(job)
        assert {*_sent(job, 0).values()} == {ROOM}


def test_the_forecast_counts_the_other_models_round() -> None:
    """A cap that holds the whole job: one Message Batch for all rows, and one for the escalated ones."""
    typed = TYPED.replace("good, bad]}", "good, bad]}, confidence: number")
    escalated = f"{typed}escalate: {{to: claude-sonnet-5-5, when: confidence < 0.5}}\nmax_cost_usd: 50\n"
    with emulated_job(_table(30), recipe=escalated) as job:
        job.run()
        assert cap_forecast(job.manifest, shape_of(job.manifest)) == CapForecast(2, 2, 0)
        assert job.message_batches == 2
