"""The bound of a typed answer is never below what the model may write in any usual layout."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.fields import answer_schema
from batchdrop.answers.token_bound import MOST, most_tokens

SCALARS = st.sampled_from(["integer", "boolean", "integer?", "boolean?"])
ENUMS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=4, unique=True)
FIELDS = st.dictionaries(
    st.text("abcé中", min_size=1, max_size=6),
    SCALARS | ENUMS.map(lambda values: {"enum": values}),
    min_size=1,
    max_size=4,
)


def _longest(schema: Any) -> Any:
    """Return the value that is longest as JSON."""
    if "anyOf" in schema:
        return _longest(schema["anyOf"][0])
    if "enum" in schema:
        return max(schema["enum"], key=lambda value: len(json.dumps(value)))
    if schema["type"] == "object":
        return {name: _longest(inner) for name, inner in schema["properties"].items()}
    return {"integer": -(10**18), "boolean": False}[schema["type"]]


@given(FIELDS)
def test_no_answer_has_more_bytes_than_its_bound(fields: dict[str, Any]) -> None:
    """Compact, spaced, indented, with characters escaped or not: a token is a byte at least."""
    schema = answer_schema({"outer": {"object": fields}, "also": "boolean"}, name="r.yaml")
    bound = most_tokens(schema)
    value = _longest(schema)
    layouts = (
        json.dumps(value, ensure_ascii=escaped, indent=indent).encode("utf-8", "replace")
        for escaped in (True, False)
        for indent in (None, 2)
    )
    most = max(map(len, layouts))
    assert bound is None or bound > most
    assert bound is not None or most > MOST // 4


@pytest.mark.parametrize("fields", [{"a": "string"}, {"a": "number"}, {"a": {"list": "boolean"}}])
def test_what_has_no_end_has_no_bound(fields: dict[str, Any]) -> None:
    """Texts, numbers and lists, also beside fields that have one."""
    assert most_tokens(answer_schema({**fields, "b": "boolean"}, name="r.yaml")) is None


def test_a_label_needs_few_tokens() -> None:
    """Far fewer than any `max_tokens` that people write."""
    assert most_tokens(answer_schema({"label": {"enum": ["positive", "neutral", "negative"]}}, name="r.yaml")) == 49
    assert most_tokens(None) is None
    assert most_tokens({"type": "object", "properties": {"at": {"type": "string", "format": "date"}}}) is None
