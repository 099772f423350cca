"""Typed answers, from the recipe's `answer` to the output's columns; and those that break it, asked again."""

from __future__ import annotations

import csv
import io
import json

import pytest

from batchdrop.errors import RecipeRejected
from batchdrop.report.summary import Summary
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import World, dropped, reviews

RECIPE = """model: claude-haiku-5-5
prompt: ask {{ x }}
answer:
  label: {enum: [good, bad]}
  stars: integer?
  why: {list: string}
"""
GOOD = '{"label":"good","stars":5,"why":["taste","price"]}'
BROKEN = ("no JSON", '{"label":"fine","stars":1,"why":[]}', '{"label":"good"}', "", "[1]")


def _world(texts: list[str], *, recipe: str = RECIPE, rows: int = 1, stop: str = "end_turn") -> World:
    """Return a job whose every row is answered with these texts, turn by turn; the last one stays."""

    def in_turn(_request: JsonObject, before: int) -> JsonObject:
        return succeeded(texts[min(before, len(texts) - 1)], stop_reason=stop)

    world = dropped(reviews(rows), recipe=recipe)
    world.api = FakeBatchApi(in_turn=in_turn)
    return world


def _row(world: World) -> dict[str, str]:
    [row, *_] = csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline=""))
    return {name: row[name] for name in ("label", "stars", "why", "_status", "_raw")}


def _paid(summary: Summary) -> int:
    return sum(tokens.answers for tokens in summary.tokens)


def test_each_field_has_its_column() -> None:
    """Scalars as they are, lists as JSON; the schema is part of the request."""
    world = _world([GOOD])
    world.run()
    assert _row(world) == {"label": "good", "stars": "5", "why": '["taste","price"]', "_status": "answered", "_raw": ""}
    [[request]] = world.api.created.values()
    assert request["params"]["output_config"]["format"]["schema"]["required"] == ["label", "stars", "why"]


@pytest.mark.parametrize("text", BROKEN)
def test_an_answer_that_breaks_the_types_is_kept_as_it_is(text: str) -> None:
    """It is paid: not asked again by itself, flagged, and its text stands in `_raw`."""
    world = _world([text, GOOD])
    summary = world.run()
    status = "invalid" if text else "empty"
    assert _row(world) == {"label": "", "stars": "", "why": "", "_status": status, "_raw": text}
    assert (len(world.api.created), summary.tally.statuses) == (1, {status: 1})


@pytest.mark.parametrize("stop", ["max_tokens", "refusal"])
def test_an_answer_that_stopped_early_has_its_text(stop: str) -> None:
    """Half an object fills no column."""
    world = _world(['{"label":"go'], stop=stop)
    world.run()
    assert (_row(world)["_status"], _row(world)["_raw"], _row(world)["label"]) == (stop, '{"label":"go', "")


@pytest.mark.parametrize(("times", "broken", "asked", "status"), [
    (1, 1, 2, "answered"), (1, 2, 2, "invalid"), (2, 2, 3, "answered"), (2, 9, 3, "invalid"), (0, 1, 1, "invalid"),
])  # fmt: skip
def test_invalid_answers_are_asked_again(times: int, broken: int, asked: int, status: str) -> None:
    """As often as the recipe says, within the rounds; every answer that was paid is in the bill."""
    world = _world(["no JSON"] * broken + [GOOD], recipe=f"{RECIPE}retry: {{invalid: {times}}}\nmax_rounds: 9\n")
    summary = world.run()
    assert (len(world.api.created), _paid(summary), _row(world)["_status"]) == (asked, asked, status)


@pytest.mark.parametrize("stop", ["refusal", "model_context_window_exceeded", "max_tokens"])
def test_what_stopped_early_is_not_asked_again_as_invalid(stop: str) -> None:
    """A refusal breaks every schema, and is paid each time; `invalid` is for answers that came to their end."""
    world = _world(["I cannot", GOOD], recipe=f"{RECIPE}retry: {{invalid: 5}}\n", stop=stop)
    world.run()
    assert (len(world.api.created), _row(world)["_status"]) == (1, stop)


def test_a_good_answer_is_never_asked_again() -> None:
    """Beside a row that is."""

    def in_turn(request: JsonObject, before: int) -> JsonObject:
        is_first = request["custom_id"].endswith("000000")
        return succeeded("no JSON" if is_first and before == 0 else GOOD)

    world = _world([GOOD], rows=3, recipe=f"{RECIPE}retry: {{invalid: 1}}\n")
    world.api = FakeBatchApi(in_turn=in_turn)
    world.run()
    assert [len(requests) for requests in world.api.created.values()] == [3, 1]


def test_a_failure_between_does_not_lose_the_answer() -> None:
    """Paid and invalid, then an error: the answer stays the row's last word, and it has one more turn."""
    turns = [succeeded("no JSON"), errored("overloaded_error"), succeeded("still none"), succeeded(GOOD)]
    world = _world([GOOD], recipe=f"{RECIPE}retry: {{invalid: 1}}\nmax_rounds: 9\n")
    world.api = FakeBatchApi(in_turn=lambda _request, before: turns[before])
    summary = world.run()
    assert (len(world.api.created), _paid(summary), _row(world)["_raw"]) == (3, 2, "still none")


def test_a_refusal_for_good_ends_the_asking() -> None:
    """Invalid, then an error that would come again: the paid answer is the last word."""
    turns = [succeeded("no JSON"), errored("invalid_request_error")]
    world = _world([GOOD], recipe=f"{RECIPE}retry: {{invalid: 5}}\nmax_rounds: 9\n")
    world.api = FakeBatchApi(in_turn=lambda _request, before: turns[before])
    world.run()
    assert (len(world.api.created), _row(world)["_status"]) == (2, "invalid")


def test_a_cut_answer_keeps_its_raised_limit() -> None:
    """Cut, then invalid with more room: what is asked once more still has the room."""
    turns = [succeeded('{"lab', stop_reason="max_tokens"), succeeded("no JSON"), succeeded(GOOD)]
    recipe = f"{RECIPE}max_tokens: 10\nretry: {{max_tokens: x2, invalid: 1}}\n"
    world = _world([GOOD], recipe=recipe)
    world.api = FakeBatchApi(in_turn=lambda _request, before: turns[before])
    world.run()
    asked = [requests[0]["params"]["max_tokens"] for requests in world.api.created.values()]
    assert (asked, _row(world)["_status"]) == ([10, 20, 20], "answered")


SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}


def test_a_schema_file_lies_beside_the_recipe() -> None:
    """Its properties are the columns; it is read once, so that a later change does not touch a running job."""
    world = _world(['{"label":"x"}'], recipe="model: m\nprompt: ask\nanswer: {schema: shapes/review.json}\n")
    world.store.write("recipes/shapes/review.json", json.dumps(SCHEMA).encode())
    world.split()
    world.store.write("recipes/shapes/review.json", b"{}")
    world.run()
    assert world.result("output.csv").splitlines()[0] == b"x,label,_status,_error,_raw"


@pytest.mark.parametrize(
    ("file", "body", "told"),
    [
        ("review.json", None, "recipes/review.json does not exist"),
        ("review.json", b"{", "it is not JSON"),
        ("../secrets.json", b"{}", "is outside the recipe's folder"),
        ("/etc/x.json", b"{}", "is outside the recipe's folder"),
    ],
)
def test_a_schema_file_that_cannot_be_used_is_told(file: str, body: bytes | None, told: str) -> None:
    """Before anything is spent."""
    world = _world([GOOD], recipe=f"model: m\nprompt: ask\nanswer: {{schema: {file}}}\n")
    if body is not None:
        world.store.write("recipes/review.json", body)
    with pytest.raises(RecipeRejected, match=told):
        world.split()
