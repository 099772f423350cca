"""Marks for the prompt cache: in each request once, whatever a row says, and to the byte as long as announced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.shape import answer_shape
from batchdrop.recipe.recipe import Recipe, parse_recipe
from batchdrop.requests.cache_mark import CacheMark
from batchdrop.requests.request import RecipeRequests, request_lines
from batchdrop.requests.row import Cursor, Row
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.requests.shared_prefix import cache_mark, shared_texts
from tests.strategies import cells

CACHE = {"type": "ephemeral", "ttl": "1h"}
PAIR = [{"row": {"x": "a"}, "answer": "B"}]
TALK = [
    {"role": "user", "content": "Ready?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "{{ x }}"},
]


def _recipe(**fields: Any) -> Recipe:
    return parse_recipe({"model": "claude-haiku-5-5", "prompt": "<{{ x }}>", **fields}, name="r")


def _mark(recipe: Recipe) -> CacheMark | None:
    return cache_mark(recipe, answer_shape(recipe, name="r"), name="r")


def _body(recipe: Recipe, texts: list[str]) -> bytes:
    source = RecipeRequests(recipe, answer_shape(recipe, name="r"), name="r")
    lines = [(number, source.request(Row("", Cursor(), {"x": text})).params) for number, text in enumerate(texts)]
    return BODY_HEAD + BODY_SEPARATOR.join(request_lines("job-00000-", lines)) + BODY_TAIL


def _marked_params(recipe: Recipe) -> Any:
    mark = _mark(recipe)
    assert mark is not None
    return json.loads(mark.applied(_body(recipe, ["c"])))["requests"][0]["params"]


def test_the_mark_stands_where_rows_begin_to_differ() -> None:
    """At the last block that all rows share: the system prompt, an example, or a constant message."""
    marked = {"type": "text", "text": "s", "cache_control": CACHE}
    assert _marked_params(_recipe(system="s"))["system"] == [marked]
    params = _marked_params(_recipe(system="s", examples=PAIR))
    assert params["system"] == "s"
    lists = [turn["content"] for turn in params["messages"] if isinstance(turn["content"], list)]
    assert lists == [[{**marked, "text": "B"}]]
    params = _marked_params(_recipe(system="s", prompt=None, messages=TALK))
    assert params["messages"][1]["content"] == [{**marked, "text": "Yes."}]
    assert _marked_params(_recipe(examples=PAIR))["messages"][1]["content"] == [{**marked, "text": "B"}]


def test_without_a_shared_prefix_there_is_no_mark() -> None:
    """Neither is there one if the recipe's own parameters repeat the piece that would be replaced."""
    assert _mark(_recipe()) is None
    tools = [{"name": "t", "input_schema": {"type": "object", "system": "s"}}]
    assert _mark(_recipe(system="s", params={"tools": tools})) is None


texts = cells() | st.sampled_from(['"system":"rule"', '\\"system\\":\\"rule\\"', '{"system":"rule"}', "rule", "\n"])


@given(st.lists(texts, min_size=1, max_size=5), st.integers(1, 60), st.booleans())
def test_a_stream_is_marked_once_in_each_request(rows: list[str], size: int, with_examples: bool) -> None:  # noqa: FBT001 - drawn
    """However its blocks are cut, and whatever the rows say; its size is known before."""
    recipe = _recipe(system="rule", examples=PAIR if with_examples else [])
    mark, body = _mark(recipe), _body(recipe, rows)
    assert mark is not None
    blocks = [body[start : start + size] for start in range(0, len(body), size)]
    streamed = b"".join(mark.stream(blocks))
    assert streamed == mark.applied(body)
    assert len(streamed) == len(body) + len(rows) * mark.growth
    assert streamed.count(b'"cache_control"') == len(rows) + sum(row.count('"cache_control"') for row in rows)
    plain = json.loads(body)["requests"]
    for before, after in zip(plain, json.loads(streamed)["requests"], strict=True):
        assert after["params"]["messages"][-1] == before["params"]["messages"][-1]
        assert after["custom_id"] == before["custom_id"]


@pytest.mark.parametrize("fields", [{"max_tokens": "{{ x }}"}, {"answer": {"label": "string"}}, {"params": {"k": 1}}])
def test_other_parameters_do_not_matter(fields: dict[str, Any]) -> None:
    """Their own limit, a schema, or further parameters: the piece is the same."""
    recipe = _recipe(system="s", **fields)
    mark, body = _mark(recipe), _body(recipe, ["7", "8"])
    assert mark is not None
    assert mark.applied(body).count(b'"cache_control"') == 2


def test_what_is_shared_is_counted_in_the_prompts_order() -> None:
    """Tools, system prompt, then the messages."""
    recipe = _recipe(system="s", examples=PAIR, params={"tools": [{"name": "t"}]})
    shape = answer_shape(recipe, name="r")
    assert shared_texts(recipe, shape, name="r") == ['{"name":"t"}', "s", "<a>", "B"]
