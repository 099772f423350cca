"""Requests: the bytes of `params`, from a recipe or from the file itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from batchdrop.domain.limits import MAX_REQUEST_BYTES
from batchdrop.domain.prompt import Prompt, RowUnaskable
from batchdrop.domain.recipe import Recipe
from batchdrop.domain.request import ReadyRequests, RecipeRequests, request_line
from batchdrop.domain.row import Cursor, Row
from tests.strategies import cells


def _recipe_params(cell: str, **fields: object) -> bytes:
    recipe = Recipe(**{"model": "claude-haiku-5-5", "prompt": "{{ x }}.", **fields})  # type: ignore[arg-type]
    return RecipeRequests(recipe, Prompt(recipe.prompt, name="r")).params(Row(cell, Cursor(), {"x": cell}))


def _ready_params(line: str) -> bytes:
    return ReadyRequests().params(Row(line, Cursor(), {}))


@given(cells(), cells())
def test_params_are_the_recipes(cell: str, system: str) -> None:
    """Model, limit, system and further params come from the recipe, the message from the row."""
    params = _recipe_params(cell, system=system, params={"metadata": {"user_id": cell}})
    assert json.loads(params) == {
        "model": "claude-haiku-5-5",
        "max_tokens": 1024,
        "system": system,
        "metadata": {"user_id": cell},
        "messages": [{"role": "user", "content": f"{cell}."}],
    }


def test_no_system_is_no_key() -> None:
    """The API does not take `system: null`."""
    assert "system" not in json.loads(_recipe_params("x"))


@given(cells())
def test_params_are_one_line(cell: str) -> None:
    """No cell brings a newline into the stored body."""
    assert b"\n" not in _recipe_params(cell)


def test_the_place_of_the_prompt_cannot_be_faked() -> None:
    """A recipe that holds the inner placeholder keeps it, and the prompt goes where it belongs."""
    params = json.loads(_recipe_params("cell", system="\x00prompt\x00", params={"a": "\x00prompt\x00"}))
    assert (params["system"], params["a"], params["messages"][0]["content"]) == ("\x00prompt\x00",) * 2 + ("cell.",)


@pytest.mark.parametrize("over", [0, 1])
def test_the_largest_request(over: int) -> None:
    """32 MB go, one byte more is refused, and the reason says both numbers."""
    room = MAX_REQUEST_BYTES - len(_recipe_params(""))
    if not over:
        assert len(_recipe_params("x" * room)) == MAX_REQUEST_BYTES
        return
    with pytest.raises(RowUnaskable, match="32,000,001 bytes, the API takes at most 32,000,000"):
        _recipe_params("x" * (room + 1))


@pytest.mark.parametrize(
    "params", ['{"a": 1.10}', '{"n":123456789012345678901234567890}', '{"e":"\\u00e9é"}', "{}", '{ "b":\t1e5 }']
)
def test_ready_params_are_passed_on_to_the_byte(params: str) -> None:
    """Numbers, spaces and escapes of a ready-made request stay as they stand."""
    assert _ready_params(f'{{"custom_id":"mine","params":{params},"_status":"failed"}}') == params.encode()


@pytest.mark.parametrize(
    "line",
    [
        '{"custom_id":"a"}',
        '{"params":{}}',
        '{"custom_id":5,"params":{}}',
        '{"custom_id":"a","params":[]}',
        '{"custom_id":"a","params":null}',
        '{"custom_id":"a","params":"{}"}',
    ],
)
def test_lines_that_are_no_request_are_rejected(line: str) -> None:
    """A line without both keys, or with other types, is told so."""
    with pytest.raises(RowUnaskable, match=r"params|no request"):
        _ready_params(line)


def test_a_request_line_is_what_the_api_takes() -> None:
    """custom_id and params, and nothing else."""
    assert json.loads(request_line("job-00000-000001", b'{"a":1}')) == {
        "custom_id": "job-00000-000001",
        "params": {"a": 1},
    }
