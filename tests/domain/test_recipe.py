"""Recipes: every error names the recipe, the key, and where there is one the nearest known key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.domain.recipe import DEFAULT_ROUNDS, FORBIDDEN_PARAMS, MAX_ROUNDS, Recipe, Retry, parse_recipe
from batchdrop.errors import RecipeRejected

NAME = "recipes/r.yaml"
GOOD: dict[str, Any] = {"model": "claude-haiku-5-5", "prompt": "Say {{ x }}"}


def _refusal(fields: object) -> str:
    with pytest.raises(RecipeRejected) as caught:
        parse_recipe(fields, name=NAME)
    return str(caught.value)


def test_two_keys_are_enough() -> None:
    """Model and prompt make a recipe; the rest has defaults."""
    assert parse_recipe(GOOD, name=NAME) == Recipe(model="claude-haiku-5-5", prompt="Say {{ x }}", max_tokens=1024)


def test_every_key_is_taken() -> None:
    """All keys come through as they are, `params` too."""
    fields = {
        **GOOD,
        "max_tokens": 9,
        "system": "s",
        "params": {"metadata": {"user_id": "u"}, "stop_sequences": ["."]},
        "lane": "batch",
        "on_bad_row": "stop",
    }
    recipe = parse_recipe(fields, name=NAME)
    assert {name: getattr(recipe, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("modle", "model"),
        ("max_token", "max_tokens"),
        ("promt", "prompt"),
        ("on_badrow", "on_bad_row"),
        ("sytem", "system"),
        ("param", "params"),
        ("Lane", "lane"),
    ],
)
def test_a_typo_names_the_nearest_key(typo: str, meant: str) -> None:
    """An unknown key is named together with the known one that was probably meant."""
    text = _refusal({**GOOD, typo: "x"})
    assert f"unknown key '{typo}'; did you mean '{meant}'?" in text
    assert text.startswith(NAME)


@given(st.text(max_size=20).filter(lambda key: key not in Recipe.__struct_fields__) | st.integers() | st.none())
def test_any_unknown_key_is_named(key: object) -> None:
    """Whatever the key, it is named, and all known keys with it."""
    text = _refusal(dict[object, object](GOOD) | {key: 1})
    assert f"unknown key '{key}'" in text
    assert all(known in text for known in Recipe.__struct_fields__)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"model": 5}, "model"),
        ({"model": " "}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"system": 1}, "system"),
        ({"params": []}, "params"),
        ({"params": {1: 2}}, "params"),
        ({"lane": "fast"}, "lane"),
        ({"lane": "live"}, "lane"),
        ({"on_bad_row": "ignore"}, "on_bad_row"),
    ],
)
def test_a_wrong_value_names_its_key(change: dict[str, Any], named: str) -> None:
    """A value of the wrong kind or range says which key is meant."""
    text = _refusal({**GOOD, **change})
    assert text.startswith(f"{NAME}: ")
    assert named in text


@pytest.mark.parametrize("missing", ["model", "prompt"])
def test_a_missing_key_is_named(missing: str) -> None:
    """What must be there is asked for by name."""
    text = _refusal({name: value for name, value in GOOD.items() if name != missing})
    assert "missing" in text
    assert f"`{missing}`" in text


@pytest.mark.parametrize("param", FORBIDDEN_PARAMS)
def test_params_that_the_api_refuses_are_named(param: str) -> None:
    """A parameter that would fail every row is refused before anything is spent, with its reason."""
    text = _refusal({**GOOD, "params": {param: 1}})
    assert f"'params.{param}'" in text
    assert FORBIDDEN_PARAMS[param] in text


@pytest.mark.parametrize(("fields", "kind"), [(None, "empty"), ([], "a list"), ("x", "a str"), (5, "a int")])
def test_what_is_no_mapping_is_refused(fields: object, kind: str) -> None:
    """An empty file or a list is told what a recipe is."""
    text = _refusal(fields)
    assert "a recipe is a mapping" in text
    assert text.endswith(kind)


def test_the_live_lane_says_that_it_is_not_there_yet() -> None:
    """`lane: live` does not run quietly in the batch lane."""
    assert "not there yet" in _refusal({**GOOD, "lane": "live"})


@pytest.mark.parametrize("rounds", [1, DEFAULT_ROUNDS, MAX_ROUNDS])
def test_rounds_are_taken(rounds: int) -> None:
    """From one, which asks nothing again, to the most."""
    assert parse_recipe({**GOOD, "max_rounds": rounds}, name=NAME).max_rounds == rounds


@pytest.mark.parametrize("rounds", [0, -1, MAX_ROUNDS + 1, "3", 2.5, None, True])
def test_rounds_out_of_bounds_are_refused(rounds: object) -> None:
    """The message names the key."""
    assert _refusal({**GOOD, "max_rounds": rounds}).startswith(f"{NAME}: key 'max_rounds': ")


def test_rounds_and_retry_have_defaults() -> None:
    """Three rounds, and no paid answer is asked again unless the recipe says so."""
    recipe = parse_recipe(GOOD, name=NAME)
    assert (recipe.max_rounds, recipe.retry) == (DEFAULT_ROUNDS, Retry())
    assert parse_recipe({**GOOD, "retry": {}}, name=NAME).retry.max_tokens is None
    assert parse_recipe({**GOOD, "retry": {"max_tokens": "x2"}}, name=NAME).retry.max_tokens == "x2"


@pytest.mark.parametrize("retry", [{"max_tokens": "x3"}, {"max_tokens": 2}, {"refusal": "x2"}, "x2", None, ["x2"]])
def test_any_other_retry_is_refused(retry: object) -> None:
    """What would cost money again is not guessed at."""
    text = _refusal({**GOOD, "retry": retry})
    assert text.startswith(NAME)
    assert "retry" in text or "refusal" in text
