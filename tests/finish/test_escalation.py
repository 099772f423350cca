"""Escalation: a paid answer that meets `when` is given again by another model, once, in one more round."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchdrop.report.summary import Summary
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import KEYS, World, dropped, reviews

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
RECIPE = f"""model: {HAIKU}
prompt: ask {{{{ x }}}}
answer: {{label: {{enum: [good, bad]}}, confidence: number}}
escalate: {{to: {SONNET}, when: [confidence < 0.8, invalid, refusal, max_tokens]}}
"""
SURE = '{"label":"good","confidence":0.9}'
UNSURE = '{"label":"bad","confidence":0.2}'
BROKEN = "no JSON"

Script = Callable[[str, int], JsonObject | str]


def _world(script: Callable[[int, str, int], JsonObject | str], *, rows: int = 1, recipe: str = RECIPE) -> World:
    """Return a job. `script` answers a row of a model, which was asked so often before: a result, or a text."""
    told: dict[tuple[str, int], tuple[str, JsonObject | str]] = {}  # by request and turn: results are made at each read

    def in_turn(request: JsonObject, turn: int) -> JsonObject:
        model, name = request["params"]["model"], request["custom_id"]
        if (name, turn) not in told:
            before = sum(own == model and known == name for (known, _), (own, _) in told.items())
            told[name, turn] = model, script(int(name.rsplit("-", 1)[1]), model, before)
        _, result = told[name, turn]
        return succeeded(result, model=model) if isinstance(result, str) else result | _named(result, model)

    world = dropped(reviews(rows), recipe=recipe)
    world.api = FakeBatchApi(in_turn=in_turn)
    return world


def _named(result: JsonObject, model: str) -> JsonObject:
    return {"message": {**result["message"], "model": model}} if "message" in result else {}


def _rows(world: World) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline=""))]


def _sent(world: World) -> list[list[tuple[int, str, int]]]:
    """Return what each Message Batch sent: row, model, max_tokens."""
    return [
        [(int(one["custom_id"].rsplit("-", 1)[1]), one["params"]["model"], one["params"]["max_tokens"]) for one in body]
        for body in world.api.created.values()
    ]


def _paid(summary: Summary) -> dict[str, int]:
    return {tokens.model: tokens.answers for tokens in summary.tokens}


def test_an_unsure_answer_is_given_again_by_the_other_model() -> None:
    """One more round has that row alone, with the same request but for the model; both answers are paid and kept."""
    world = _world(lambda row, model, _: UNSURE if (row, model) == (1, HAIKU) else SURE, rows=3)
    summary = world.run()
    assert _sent(world) == [[(0, HAIKU, 1024), (1, HAIKU, 1024), (2, HAIKU, 1024)], [(1, SONNET, 1024)]]
    assert [(row["label"], row["_status"], row["_model"]) for row in _rows(world)] == [
        ("good", "answered", HAIKU), ("good", "answered", SONNET), ("good", "answered", HAIKU),
    ]  # fmt: skip
    assert _paid(summary) == {HAIKU: 3, SONNET: 1}
    raw = [json.loads(line) for number in (0, 1) for line in world.store.read(KEYS.answers(0, number)).splitlines()]
    assert Counter(line["result"]["message"]["model"] for line in raw) == {HAIKU: 3, SONNET: 1}


def test_the_summary_says_how_many_and_why_and_what_both_cost() -> None:
    """By the alternative that an answer met first."""
    texts = [UNSURE, BROKEN, UNSURE, SURE]
    world = _world(lambda row, model, _: texts[row] if model == HAIKU else SURE, rows=4)
    block = world.run().escalation
    assert block is not None
    assert (block.to, block.rows, block.answered, block.kept, block.share) == (SONNET, 3, 3, 0, 0.75)
    assert block.reasons == {"confidence < 0.8": 2, "invalid": 1}
    assert [(one.model, one.answers) for one in block.models] == [(HAIKU, 4), (SONNET, 3)]
    assert all(one.usd for one in block.models)


@pytest.mark.parametrize(("second", "label", "status", "model"), [
    (UNSURE, "bad", "answered", SONNET), (SURE, "good", "answered", SONNET), (BROKEN, "bad", "answered", HAIKU),
    (succeeded("I can't", stop_reason="refusal"), "bad", "answered", HAIKU), ("", "bad", "answered", HAIKU),
])  # fmt: skip
def test_the_first_answer_stays_if_the_second_cannot_be_used(
    second: JsonObject | str, label: str, status: str, model: str
) -> None:
    """A second answer that can be used counts, however unsure it is; no row is sent a third time."""
    world = _world(lambda _row, model, _: UNSURE if model == HAIKU else second)
    summary = world.run()
    [row] = _rows(world)
    assert (row["label"], row["_status"], row["_model"]) == (label, status, model)
    assert len(_sent(world)) == 2
    assert _paid(summary) == {HAIKU: 1, SONNET: 1}
    assert summary.escalation is not None
    assert summary.escalation.kept == (model == HAIKU)


def test_of_two_answers_that_cannot_be_used_the_later_one_counts() -> None:
    """Its status and its model."""
    world = _world(lambda _row, model, _: BROKEN if model == HAIKU else succeeded("no", stop_reason="refusal"))
    world.run()
    assert [(row["_status"], row["_model"]) for row in _rows(world)] == [("refusal", SONNET)]


@pytest.mark.parametrize("rounds", [1, 2])
def test_an_escalation_is_outside_max_rounds(rounds: int) -> None:
    """The other model has as many rounds of its own while its answer fails with transient errors."""

    def script(_row: int, model: str, before: int) -> JsonObject | str:
        if model == HAIKU:
            return UNSURE
        return SURE if before == 1 else errored("overloaded_error")

    world = _world(script, recipe=f"{RECIPE}max_rounds: {rounds}\n")
    summary = world.run()
    assert len(_sent(world)) == 1 + rounds
    assert _paid(summary) == ({HAIKU: 1} if rounds == 1 else {HAIKU: 1, SONNET: 1})
    assert [(row["_status"], row["_model"]) for row in _rows(world)] == [("answered", HAIKU if rounds == 1 else SONNET)]
    assert summary.status == "succeeded"


@pytest.mark.parametrize("error", ["invalid_request_error", "not_found_error"])
def test_a_refused_escalation_leaves_the_first_answer(error: str) -> None:
    """It would be refused again, so it is not repeated."""
    world = _world(lambda _row, model, _: UNSURE if model == HAIKU else errored(error))
    world.run()
    assert len(_sent(world)) == 2
    assert [(row["label"], row["_status"]) for row in _rows(world)] == [("bad", "answered")]


def test_a_claimed_answer_is_not_retried() -> None:
    """`retry` repeats answers of the recipe's own model that do not meet `when`; the other model answers once."""
    both = RECIPE.replace("invalid, refusal, max_tokens", "refusal") + "retry: {invalid: 1}\nmax_rounds: 9\n"
    texts = {HAIKU: [BROKEN, UNSURE], SONNET: [BROKEN]}
    world = _world(lambda _row, model, before: texts[model][before], recipe=both)
    summary = world.run()
    assert [model for [(_, model, _)] in _sent(world)] == [HAIKU, HAIKU, SONNET]
    assert _paid(summary) == {HAIKU: 2, SONNET: 1}
    at_once = _world(
        lambda _row, model, _: BROKEN if model == HAIKU else SURE, recipe=f"{RECIPE}retry: {{invalid: 1}}\n"
    )
    at_once.run()
    assert [model for [(_, model, _)] in _sent(at_once)] == [HAIKU, SONNET]


def test_a_raised_limit_goes_with_the_row() -> None:
    """An answer that is still unsure after `max_tokens: x2` is escalated with the raised limit, which it needed."""
    recipe = RECIPE.replace(", max_tokens]", "]") + "retry: {max_tokens: x2}\n"

    def script(_row: int, model: str, before: int) -> JsonObject | str:
        if (model, before) == (HAIKU, 0):
            return succeeded('{"la', stop_reason="max_tokens")
        return UNSURE if model == HAIKU else SURE

    world = _world(script, recipe=recipe)
    world.run()
    assert _sent(world) == [[(0, HAIKU, 1024)], [(0, HAIKU, 2048)], [(0, SONNET, 2048)]]


def test_unpaid_rows_and_escalations_share_a_round() -> None:
    """Each with its own model."""

    def script(row: int, model: str, before: int) -> JsonObject | str:
        if row == 0 and model == HAIKU and not before:
            return errored("api_error")
        return UNSURE if (row, model) == (1, HAIKU) else SURE

    world = _world(script, rows=2)
    world.run()
    assert [sorted(body) for body in _sent(world)][1:] == [[(0, HAIKU, 1024), (1, SONNET, 1024)]]
    assert [row["_model"] for row in _rows(world)] == [HAIKU, SONNET]


def test_duplicates_share_the_second_answer() -> None:
    """One request, one escalation, and the answer for all its rows."""
    world = _world(lambda _row, model, _: UNSURE if model == HAIKU else SURE)
    world.drop("inbox/r/f.csv", b"x\nsame\nsame\nsame\n", recipe=RECIPE)
    summary = world.run()
    assert [row["_model"] for row in _rows(world)] == [SONNET] * 3
    assert _paid(summary) == {HAIKU: 1, SONNET: 1}
    assert summary.escalation is not None
    assert summary.escalation.rows == 1


def test_trouble_with_the_account_stops_the_escalations_too() -> None:
    """The job ends red with the first answers. Resumed, it sends the escalations, and pays nothing twice."""
    is_broke = [True]

    def script(_row: int, model: str, _before: int) -> JsonObject | str:
        if model == SONNET and is_broke[0]:
            return errored("billing_error")
        return UNSURE if model == HAIKU else SURE

    world = _world(script, rows=2)
    summary = world.run()
    assert (summary.status, summary.faults[0].type) == ("failed", "AccountTrouble")
    assert [(row["_status"], row["_model"]) for row in _rows(world)] == [("answered", HAIKU)] * 2
    assert summary.escalation is not None
    assert (summary.escalation.rows, summary.escalation.answered) == (2, 0)
    is_broke[0] = False
    world.resume()
    assert _paid(world.run()) == {HAIKU: 2, SONNET: 2}
    assert [row["_model"] for row in _rows(world)] == [SONNET] * 2


def test_a_resumed_job_keeps_the_round_that_may_be_on_its_way() -> None:
    """A resume gives more rounds, but a body that was written stays: rows that then may go wait for the round after."""

    def script(row: int, model: str, before: int) -> JsonObject | str:
        if row == 0:
            return errored("api_error") if before < 2 else SURE
        return UNSURE if model == HAIKU else SURE

    world = _world(script, rows=2, recipe=f"{RECIPE}max_rounds: 1\n")
    world.split()
    state = world.state()
    state = msgspec.structs.replace(state, batch_id=world.submit().batch_id)
    world.api.finish()
    first = world.collect_round(state)
    body = world.store.read(KEYS.requests(0, 1))
    assert (first.leftovers, body.count(b"custom_id")) == (1, 1)
    world.resume()
    again = world.collect_round(world.state())
    assert (again.leftovers, world.store.read(KEYS.requests(0, 1))) == (1, body)
    summary = world.run()
    assert summary.escalation is not None
    assert summary.escalation.answered == 1


def test_without_escalate_nothing_is_added() -> None:
    """No column, no block."""
    world = _world(lambda *_: SURE, recipe=RECIPE.rpartition("escalate")[0])
    assert world.run().escalation is None
    assert "_model" not in _rows(world)[0]


RESULTS: list[JsonObject | str] = [
    SURE, UNSURE, BROKEN, "", succeeded("no", stop_reason="refusal"), succeeded('{"l', stop_reason="max_tokens"),
    errored("api_error"), errored("invalid_request_error"), {"type": "expired"},
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    scripts=st.lists(
        st.tuples(*[st.lists(st.sampled_from(RESULTS), min_size=1, max_size=4)] * 2), min_size=1, max_size=6
    ),
    retry=st.sampled_from(["", "retry: {invalid: 1}\n", "retry: {max_tokens: x2, invalid: 2}\n"]),
    rounds=st.integers(1, 4),
)
def test_each_row_ends_once_and_the_bill_is_the_sum_of_all_answers(
    scripts: list[tuple[list[Any], list[Any]]], retry: str, rounds: int
) -> None:
    """Whatever both models say: the rows in their order, the right answer, and never a third model's turn."""
    paid: list[tuple[int, str, JsonObject]] = []

    def script(row: int, model: str, before: int) -> JsonObject:
        mine = scripts[row][model == SONNET]
        told = mine[min(before, len(mine) - 1)]
        result = succeeded(told) if isinstance(told, str) else told
        if result["type"] == "succeeded":
            usage = {"input_tokens": 10 + row, "output_tokens": 1 + len(paid)}
            result = {**result, "message": {**result["message"], "model": model, "usage": usage}}
            paid.append((row, model, result))
        return result

    world = _world(script, rows=len(scripts), recipe=f"{RECIPE}{retry}max_rounds: {rounds}\nfail_if: null\n")
    summary = world.run()
    rows = _rows(world)
    assert [row["x"] for row in rows] == [f"row {number}" for number in range(len(scripts))]
    for model in (HAIKU, SONNET):
        usages = [result["message"]["usage"] for _, own, result in paid if own == model]
        tokens = [one for one in summary.tokens if one.model == model]
        assert sum(one.output for one in tokens) == sum(usage["output_tokens"] for usage in usages)
        assert sum(one.input for one in tokens) == sum(usage["input_tokens"] for usage in usages)
        assert sum(one.answers for one in tokens) == len(usages)
    for number, row in enumerate(rows):
        mine = [(model, result["message"]) for own, model, result in paid if own == number]
        seconds = [message for model, message in mine if model == SONNET]
        assert len(seconds) <= 1, "the other model answers a row once"
        assert [model for model, _ in mine] == sorted(model for model, _ in mine), "haiku first"
        good = [model for model, message in mine if message["content"][0]["text"] in {SURE, UNSURE}]
        if good:
            assert (row["_status"], row["_model"]) == ("answered", good[-1])
        else:
            assert row["_status"] != "answered"
            assert row["_model"] == (mine[-1][0] if mine else "")
