"""JSON answers: valid against any schema, and what is refused in one."""

import json
from typing import Any

import anthropic
import jsonschema
import pytest
from anthropic import Anthropic
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.errors import ApiError
from batchdrop.local.claude_api.fake_model import FakeModel, read_request
from batchdrop.local.claude_api.fates import ANSWERED
from batchdrop.local.claude_api.prompt_cache import Visit
from batchdrop.local.claude_api.schema_answers import instance_of
from batchdrop.local.claude_api.schema_rules import schema_fault
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import params, result

NAMES = st.text(alphabet="abcdef", min_size=1, max_size=4)
LEAVES = st.one_of(
    st.just({"type": "string"}),
    st.sampled_from(["date-time", "date", "time", "email", "uuid", "ipv4", "ipv6", "uri", "hostname", "duration"]).map(
        lambda name: {"type": "string", "format": name},
    ),
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(
        lambda ends: {"type": "string", "minLength": min(ends), "maxLength": max(ends)},
    ),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)).map(
        lambda ends: {"type": "integer", "minimum": min(ends), "maximum": max(ends)},
    ),
    st.integers(-50, 500).map(lambda low: {"type": "integer", "exclusiveMinimum": low}),
    st.integers(-500, 50).map(lambda high: {"type": "number", "maximum": high}),
    st.floats(0, 1).map(lambda low: {"type": "number", "minimum": low, "maximum": low + 1}),
    st.lists(st.one_of(st.text(max_size=5), st.integers(), st.booleans()), min_size=1, max_size=4).map(
        lambda values: {"enum": values},
    ),
    st.one_of(st.text(max_size=5), st.integers(), st.none()).map(lambda value: {"const": value}),
    st.just({"type": ["string", "null"]}),
    st.just({"$ref": "#/$defs/shared"}),
)


def _object(properties: dict[str, Any], required: list[bool]) -> dict[str, Any]:
    names = [name for name, needed in zip(properties, required, strict=False) if needed]
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(_object, st.dictionaries(NAMES, inner, max_size=4), st.lists(st.booleans(), max_size=4)),
        st.tuples(inner, st.integers(0, 3)).map(
            lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1], "maxItems": pair[1] + 1},
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        inner.map(lambda one: {"allOf": [one]}),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS, seed=st.integers(0, 100))
def test_answers_are_valid_against_any_schema(schema: dict[str, Any], seed: int) -> None:
    """As judged by jsonschema, formats included; and the same dice give the same answer."""
    root = {**schema, "$defs": {"shared": {"type": "string", "enum": ["x", "y"]}}}
    value = instance_of(root, "a text", Dice("test", str(seed)))
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(root, format_checker=checker).validate(json.loads(json.dumps(value)))
    assert value == instance_of(root, "a text", Dice("test", str(seed)))


def test_a_recursive_schema_comes_to_an_end() -> None:
    """A tree of nodes, when the strict rules are off."""
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            },
        },
    }
    for seed in range(30):
        jsonschema.validate(instance_of(schema, "", Dice(str(seed))), schema)


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "object", "properties": {}}, "additionalProperties"),
        ({"type": "object", "additionalProperties": True}, "additionalProperties"),
        ({"type": "number", "minimum": 0}, "minimum"),
        ({"type": "string", "maxLength": 5}, "maxLength"),
        ({"type": "string", "format": "credit-card"}, "format"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, "minItems"),
        ({"type": "text"}, "unknown type"),
        ({"description": "x"}, "must have"),
        ({"$ref": "#/$defs/none"}, "cannot resolve"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}, "Recursive"),
        ({"type": "array", "items": {"type": "integer", "multipleOf": 2}}, "multipleOf"),
    ],
)
def test_unsupported_schemas_are_refused(client: Anthropic, schema: dict[str, Any], fault: str) -> None:
    """A 400 that names the trouble."""
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    with pytest.raises(anthropic.BadRequestError, match=fault):
        client.messages.create(**params("x", output_config=config))


WORDS = ["type", "properties", "items", "enum", "anyOf", "allOf", "$ref", "required", "minItems", "format", "const",
         "minimum", "maximum", "additionalProperties"]  # fmt: skip
ANY_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["object", "array", "string", "#", "#/enum"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)),
    max_leaves=6,
)


@given(schema=ANY_JSON, strict=st.booleans())
def test_senseless_schemas_are_refused_not_crashed_on(schema: object, strict: bool) -> None:  # noqa: FBT001 - a table column
    """Whatever stands where a schema is due, the answer is one or an ApiError."""
    config = {"format": {"type": "json_schema", "schema": schema}}
    raw = json.dumps(params("x", output_config=config)).encode()
    try:
        request = read_request(raw, lane="batch", version="2026-10-21", strict_schemas=strict)
        outcome = FakeModel().message(request, ANSWERED, visit=Visit("batch", 0, 0), settings=Settings()).stop_reason
    except ApiError as error:
        outcome = f"{error.status} {error.message.partition('.schema')[0]}"
    assert outcome in {"end_turn", "max_tokens", "400 output_config.format"}


def test_what_the_sdk_makes_of_a_schema_is_supported() -> None:
    """The SDK's own `transform_schema` gives nothing that is refused here."""
    wide = {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": ["a", "b"]},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 2},
            "when": {"oneOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        },
        "required": ["label"],
    }
    assert schema_fault(json.dumps(wide).encode()) is not None
    assert schema_fault(json.dumps(anthropic.transform_schema(wide)).encode()) is None


def test_structured_answers_follow_the_mood(client: Anthropic, emulator: RunningEmulator) -> None:
    """An enum of sentiments is chosen by the text; the whole is valid JSON."""
    label = {"type": "string", "enum": ["positive", "neutral", "negative"]}
    schema = {"type": "object", "properties": {"label": label, "confidence": {"type": "number"}},
              "required": ["label", "confidence"], "additionalProperties": False}  # fmt: skip
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    answer = result(client, emulator, "It broke, awful", output_config=config).message.content[0].text
    assert json.loads(answer)["label"] == "negative"
    jsonschema.validate(json.loads(answer), schema)


def test_a_share_of_a_models_answers_is_unsure() -> None:
    """`unsure_rates`: low numbers in so many answers of a model, high ones in its others; elsewhere as ever."""
    schema = {"type": "object", "properties": {"confidence": {"type": "number"}}, "required": ["confidence"]}
    form = {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}}
    raw = [
        json.dumps(params(f"row {number}", output_config=form) | {"model": model}).encode()
        for model in ("claude-haiku-5-5", "claude-sonnet-5-5")
        for number in range(200)
    ]
    found = [_confidence(one, {"claude-haiku-5-5": 0.3}) for one in raw]
    haiku, sonnet = found[:200], found[200:]
    assert 40 < sum(value < 0.5 for value in haiku) < 80
    assert all(value < 0.5 or value > 0.9 for value in haiku)
    assert any(0.5 < value < 0.9 for value in sonnet)


def _confidence(raw: bytes, rates: dict[str, float]) -> float:
    request = read_request(raw, lane="batch", version="2026-10-21", strict_schemas=True)
    settings = Settings(seed=1, unsure_rates=rates)
    message = FakeModel().message(request, ANSWERED, visit=Visit("batch", 0, 0), settings=settings)
    confidence: float = json.loads(getattr(message.content[0], "text", ""))["confidence"]
    return confidence
