"""The key of an answer: equal where the answer would be, different where anything else was sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answer_store.key import KEY_BYTES, SECRET_BYTES, Keys
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.request import RecipeRequests
from batchdrop.requests.row import Cursor, Row

SECRET = bytes(range(SECRET_BYTES))
KEYS = Keys(SECRET)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


def params(model: Any = "claude-haiku-5-5", limit: int | None = 256, **more: Any) -> bytes:
    """Return a request as a recipe's requests begin."""
    limits = {} if limit is None else {"max_tokens": limit}
    return msgspec.json.encode({"model": model, **limits, **more})


def canonical(fields: dict[str, Any]) -> bytes:
    """Return JSON whose order says nothing."""
    return msgspec.json.encode(fields, order="deterministic")


def rendered(recipe: Recipe, text: str) -> bytes:
    """Return the request of one row."""
    row = Row(text, Cursor(), {"text": text})
    return RecipeRequests(recipe, name="recipes/r.yaml").request(row).params


def test_a_recipes_request_has_one_key_under_any_limit() -> None:
    """An answer that was complete is the same answer under a higher limit."""
    low = Recipe(model="claude-haiku-5-5", max_tokens=16, prompt="Rate: {{ text }}")
    high = msgspec.structs.replace(low, max_tokens=4_096)
    other = msgspec.structs.replace(low, model="claude-opus-5-5")
    assert KEYS.of(rendered(low, "good")) == KEYS.of(rendered(high, "good"))
    assert KEYS.of(rendered(low, "good")) != KEYS.of(rendered(other, "good"))
    assert KEYS.of(rendered(low, "good")) != KEYS.of(rendered(low, "bad"))


@given(st.text(), st.integers(1, 10**6), st.integers(1, 10**6), JSON)
def test_only_the_requests_own_limit_is_left_out(model: str, one: int, other: int, more: Any) -> None:
    """A `max_tokens` within texts, tools or the model's name counts."""
    assert KEYS.of(params(model, one, more=more)) == KEYS.of(params(model, other, more=more))
    nested = [params(model, 1, more=[more, {"max_tokens": limit}]) for limit in (1, 2)]
    assert KEYS.of(nested[0]) != KEYS.of(nested[1])


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=3), st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_different_requests_have_different_keys(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Whatever the order of their fields, and with or without a model."""
    rest = [canonical({name: value for name, value in one.items() if name != "max_tokens"}) for one in (first, second)]
    found = [KEYS.of(msgspec.json.encode(one)) for one in (first, second)]
    assert rest[0] == rest[1] or found[0] != found[1]


def test_another_order_of_fields_is_understood() -> None:
    """The limit may stand anywhere."""
    one = b'{"messages":[],"max_tokens":5,"model":"m"}'
    two = b'{"max_tokens":6,"model":"m","messages":[]}'
    assert KEYS.of(one) == KEYS.of(two)
    assert len(KEYS.of(one)) == KEY_BYTES


def test_recipes_and_policies_share_no_key() -> None:
    """A recipe's secret and its escalation are part of the key."""
    request = params(messages=[])
    found = {
        KEYS.of(request),
        Keys(bytes(SECRET_BYTES)).of(request),
        Keys(SECRET, b'{"to":"claude-opus-5-5"}').of(request),
        Keys(SECRET, b'{"to":"claude-sonnet-5-5"}').of(request),
    }
    assert len(found) == 4


def test_a_row_without_a_request_has_no_key() -> None:
    """Rejects and duplicates are not looked up."""
    request = params(messages=[])
    assert KEYS.of_all([request, None]) == [KEYS.of(request), None]


def test_a_secret_has_its_length() -> None:
    """A short secret would be guessed."""
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        Keys(b"abc")
