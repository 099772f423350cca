"""What an answer is expected to have."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.answers.shape import TEXT_ANSWER, answer_shape
from batchdrop.money.answer_tokens import expected_tokens
from batchdrop.recipe.recipe import parse_recipe

OLD = "claude-sonnet-4-5"


def _expected(answer: dict[str, Any], *, max_tokens: int = 1_024, model: str = OLD) -> int:
    recipe = parse_recipe({"model": model, "prompt": "x", "answer": answer}, name="r")
    return expected_tokens(answer_shape(recipe, name="r"), model=model, max_tokens=max_tokens)


@pytest.mark.parametrize(("max_tokens", "tokens"), [(1, 1), (2, 1), (64, 16), (1_024, 256)])
def test_a_text_takes_a_quarter_of_max_tokens(max_tokens: int, tokens: int) -> None:
    """And never less than one."""
    assert expected_tokens(TEXT_ANSWER, model=OLD, max_tokens=max_tokens) == tokens


def test_a_typed_answer_is_as_long_as_its_json() -> None:
    """Names, punctuation and the longest value of an enum: `{"label":"positive"}` is 20 characters, 5 tokens, and 1."""
    assert _expected({"label": {"enum": ["positive", "no"]}}) == 6


def test_more_fields_take_more() -> None:
    """Each kind, nested or optional, counts; a newer model makes more tokens of the same."""
    few = {"a": "string"}
    more = {"a": "string", "b": "integer?", "c": {"list": "number"}, "d": {"object": {"e": "boolean"}}}
    assert _expected(few) < _expected(more) < _expected(more, model="claude-haiku-5-5") < 60


def test_no_answer_is_longer_than_max_tokens() -> None:
    """A schema that does not fit is cut like any answer."""
    assert _expected({f"field_{number}": "string" for number in range(50)}, max_tokens=20) == 20
