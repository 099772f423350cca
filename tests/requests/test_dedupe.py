"""Rows that ask the same: asked once a shard, paid once, answered each."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.requests.dedupe import is_deduped
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import World, dropped

TEXT = "model: claude-haiku-5-5\nprompt: ask {{ x }}\n"
TYPED = TEXT + "answer: {label: string}\n"


def _echo(request: JsonObject, _before: int) -> JsonObject:
    return succeeded(json.dumps({"label": request["params"]["messages"][0]["content"]}))


def _world(cells: list[str], *, recipe: str = TYPED, rows: int = 100_000) -> World:
    world = dropped(("x\n" + "".join(f"{cell}\n" for cell in cells)).encode(), recipe=recipe, rows=rows)
    world.api = FakeBatchApi(in_turn=_echo)
    return world


def _labels(world: World) -> list[str]:
    return [row["label"] for row in csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline=""))]


def _asked(world: World) -> int:
    return sum(len(requests) for requests in world.api.created.values())


def test_the_same_request_is_sent_once() -> None:
    """Each row has its answer, one request has its price, and the tally says how many were shared."""
    world = _world(["a", "b", "a", "a", "b"])
    summary = world.run()
    assert _labels(world) == ["ask a", "ask b", "ask a", "ask a", "ask b"]
    assert (_asked(world), summary.tally.answered, summary.tally.shared) == (2, 5, 3)
    assert sum(tokens.answers for tokens in summary.tokens) == 2


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40), st.integers(1, 12))
def test_every_row_has_the_answer_to_its_own_request(cells: list[str], rows: int) -> None:
    """Whatever repeats, and wherever shards are cut; no job sends the same twice."""
    world = _world(cells, rows=rows)
    summary = world.run()
    assert _labels(world) == [f"ask {cell}" for cell in cells]
    assert _asked(world) == len(set(cells)) == len(cells) - summary.tally.shared


def test_a_request_that_fails_fails_for_all_its_rows() -> None:
    """They stand in failed.jsonl, each as it was; nothing counts as shared."""
    world = _world(["a", "a", "b"])
    world.api = FakeBatchApi(in_turn=lambda request, _: errored("invalid_request_error"))
    summary = world.run()
    assert (summary.tally.failed, summary.tally.shared, len(world.result("failed.jsonl").splitlines())) == (3, 0, 3)


def test_a_request_that_goes_better_next_time_serves_all_its_rows() -> None:
    """The leftover is asked again once, not once a row."""
    turns = [errored("overloaded_error"), succeeded('{"label":"late"}')]
    world = _world(["a", "a", "a"])
    world.api = FakeBatchApi(in_turn=lambda _, before: turns[min(before, 1)])
    summary = world.run()
    assert (_labels(world), _asked(world), summary.tally.shared) == (["late"] * 3, 2, 2)


@pytest.mark.parametrize(("recipe", "asked"), [
    (TYPED, 1), (TYPED + "dedupe: true\n", 1), (TYPED + "dedupe: false\n", 3),
    (TEXT, 3), (TEXT + "dedupe: true\n", 1), (TEXT + "dedupe: false\n", 3),
])  # fmt: skip
def test_free_texts_are_sent_row_by_row(recipe: str, asked: int) -> None:
    """Unless the recipe says otherwise: two rows may each want a text of their own."""
    world = _world(["a", "a", "a"], recipe=recipe)
    world.run()
    assert _asked(world) == asked


def test_ready_requests_are_sent_unchanged() -> None:
    """A file of requests has no recipe that could say what its answers are for."""
    assert not is_deduped(None)


def test_rejects_share_nothing() -> None:
    """Rows that cannot be asked are each told their reason."""
    world = _world(["a", " ", " ", "a"])
    summary = world.run()
    assert (summary.tally.rejected, summary.tally.answered, summary.tally.shared) == (2, 2, 1)
