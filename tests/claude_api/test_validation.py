"""What the API refuses at once, and what comes back as an errored result."""

import json
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.local.claude_api.batch_body import index_body
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import MODEL, error_of, finished, params, post, requests, result


def item(custom_id: object = "a", **more: Any) -> dict[str, Any]:
    """An element of `requests`."""
    return {"custom_id": custom_id, "params": {}, **more}


BODIES: list[tuple[object, str]] = [
    (b"{", "not valid JSON"),
    (b'{"requests":[{"custom_id":"a","params":{}},]}', "not valid JSON"),
    ([], "Expected `object`"),
    ({}, "requests: Field required"),
    ({"requests": {}}, "requests: Expected `array`"),
    ({"requests": []}, "requests: List should have at least 1 item"),
    ({"requests": [item()], "name": "x"}, "name: Extra inputs are not permitted"),
    ({"requests": [item(), 5]}, "requests.1: Expected `object`"),
    ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
    ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
    ({"requests": [item(metadata={})]}, "requests.0.metadata: Extra inputs"),
    ({"requests": [item(5)]}, "requests.0.custom_id: Expected `str`"),
    ({"requests": [item(), item("b"), item()]}, "requests.2.custom_id: Duplicate custom_id found: a"),
    ({"requests": [item(params=[])]}, "requests.0.params: Input should be a valid dictionary"),
    *(({"requests": [item(bad)]}, "pattern") for bad in ("", "a b", "é", "a.b", "a\n", "x" * 65)),
    (b'{"requests":[{"custom_id":"a","params":{}}],"requests":[{"custom_id":"bb","params":{}}]}', "given twice"),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
def test_a_bad_body_is_refused_at_once(emulator: RunningEmulator, body: object, message: str) -> None:
    """400 invalid_request_error with the place in its message; nothing is created."""
    answer = post(emulator, body)
    status, kind, told = error_of(answer)
    assert (status, kind) == (400, "invalid_request_error")
    assert message in told
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert set(answer.json()) == {"type", "error", "request_id"}
    assert emulator.state.batches.all() == []


def test_an_empty_body_is_refused(emulator: RunningEmulator) -> None:
    """As a retried generator would send it."""
    assert error_of(post(emulator, b""))[0] == 400


def test_the_longest_custom_id_is_accepted(emulator: RunningEmulator) -> None:
    """64 characters of the allowed kinds."""
    assert post(emulator, {"requests": [item("aZ09_-" + "x" * 58)]}).status_code == 200


def test_too_many_requests_are_refused(emulator: RunningEmulator) -> None:
    """The limit is 100,000 unless set lower, and the limit itself is allowed."""
    assert emulator.settings()["max_batch_requests"] == 100_000
    emulator.settings(max_batch_requests=3)
    assert post(emulator, {"requests": requests(3)}).status_code == 200
    assert "at most 3 items" in error_of(post(emulator, {"requests": requests(4)}))[2]


def test_the_413_lacks_type_and_request_id(emulator: RunningEmulator, client: Anthropic) -> None:
    """Its body is {"error": ...} only, on both endpoints; the limits are 256 MB and 32 MB unless set lower."""
    held = emulator.settings()
    assert (held["max_batch_bytes"], held["max_message_bytes"]) == (256_000_000, 32_000_000)
    emulator.settings(max_batch_bytes=1000, max_message_bytes=500)
    body = b'{"requests":[' + b" " * 1000 + b"]}"
    for path in ("/v1/messages/batches", "/v1/messages"):
        answer = post(emulator, body, path)
        assert answer.status_code == 413
        assert answer.json().keys() == {"error"}
        assert answer.json()["error"]["type"] == "request_too_large"
    with pytest.raises(anthropic.RequestTooLargeError):
        client.messages.create(**params("x" * 1000))


def test_a_compressed_body_is_refused(emulator: RunningEmulator) -> None:
    """The emulator reads plain bodies only."""
    assert error_of(post(emulator, b"xx", **{"content-encoding": "gzip"}))[0] == 400


PARAMS: list[tuple[dict[str, Any], str, str]] = [
    ({"model": None}, "invalid_request_error", "model"),
    ({"model": "claude-9"}, "not_found_error", "model: claude-9"),
    ({"model": "claude-3-5-haiku-20241022"}, "not_found_error", "model"),
    ({"max_tokens": ...}, "invalid_request_error", "max_tokens: Field required"),
    ({"max_tokens": -1}, "invalid_request_error", "max_tokens"),
    ({"max_tokens": "9"}, "invalid_request_error", "max_tokens: Expected `int"),
    ({"max_tokens": 200_000}, "invalid_request_error", "maximum allowed"),
    ({"messages": ...}, "invalid_request_error", "messages: Field required"),
    ({"messages": []}, "invalid_request_error", "at least one message"),
    ({"messages": "hi"}, "invalid_request_error", "messages"),
    ({"messages": [{"role": "user"}]}, "invalid_request_error", "messages.0.content: Field required"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_request_error", "messages.0.role"),
    ({"messages": [{"role": "user", "content": ""}]}, "invalid_request_error", "non-empty content"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "invalid_request_error", "first message"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "invalid_request_error", "non-empty"),
    ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "invalid_request_error", "messages.0.name: Extra"),
    ({"stream": "yes"}, "invalid_request_error", "stream"),
    ({"temperature": 0.5}, "invalid_request_error", "temperature"),
    ({"top_p": 0.5}, "invalid_request_error", "top_p"),
    ({"top_k": 5}, "invalid_request_error", "top_k"),
    ({"tempreature": 0.5}, "invalid_request_error", "tempreature: Extra inputs are not permitted"),
    ({"system": 5}, "invalid_request_error", "system"),
    ({"output_config": {"format": {"type": "text"}}}, "invalid_request_error", "output_config.format"),
    ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "invalid_request_error",
     "additionalProperties"),
]  # fmt: skip


def spoilt(change: dict[str, Any]) -> dict[str, Any]:
    """Good params with a change; `...` takes a field away."""
    return {name: value for name, value in {**params(), **change}.items() if value is not ...}


@pytest.mark.parametrize(("change", "kind", "message"), PARAMS)
def test_bad_params_become_an_errored_result(
    client: Anthropic,
    emulator: RunningEmulator,
    change: dict[str, Any],
    kind: str,
    message: str,
) -> None:
    """The batch is accepted; the error is nested twice, and nothing is charged."""
    asked: Any = [{"custom_id": "bad", "params": spoilt(change)}, *requests(1)]
    batch = finished(client, emulator, asked)
    assert (batch.request_counts.errored, batch.request_counts.succeeded) == (1, 1)
    by_id = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    bad: Any = by_id["bad"]
    assert (bad.type, bad.error.type, bad.error.error.type) == ("errored", "error", kind)
    assert message in bad.error.error.message
    assert [entry["custom_id"] for entry in emulator.bill()] == ["row-0"]


@pytest.mark.parametrize(("change", "kind", "message"), PARAMS)
def test_bad_params_are_refused_in_messages(
    emulator: RunningEmulator,
    change: dict[str, Any],
    kind: str,
    message: str,
) -> None:
    """The same faults, answered at once."""
    status, found, told = error_of(post(emulator, spoilt(change), "/v1/messages"))
    assert (status, found) == (404 if kind == "not_found_error" else 400, kind)
    assert message in told


def test_what_only_batches_refuse(client: Anthropic, emulator: RunningEmulator) -> None:
    """`speed`, `stream` and `max_tokens: 0` are for Messages only."""
    for change in ({"max_tokens": 0}, {"speed": "fast"}, {"stream": True}):
        assert result(client, emulator, "x", **change).type == "errored"
        assert post(emulator, spoilt(change), "/v1/messages").status_code == 200


def test_the_older_version_takes_sampling_parameters(emulator: RunningEmulator) -> None:
    """`temperature` is refused only from 2026-10-21 on, in both lanes."""
    old = {"anthropic-version": "2023-06-01"}
    assert post(emulator, spoilt({"temperature": 0.5}), "/v1/messages", **old).status_code == 200
    asked = [{"custom_id": "a", "params": spoilt({"temperature": 0.5})}]
    for version, expected in (("2023-06-01", "succeeded"), ("2026-10-21", "errored")):
        made = post(emulator, {"requests": asked}, **{"anthropic-version": version}).json()
        emulator.advance(3600)
        batch = emulator.state.batches.get(made["id"])
        assert batch.tally(emulator.now())[expected] == 1


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_nesting_is_refused_not_crashed_on(emulator: RunningEmulator, text: str) -> None:
    """The stack is not the caller's to break."""
    body = f'{{"requests":[{{"custom_id":"a","params":{text}'.encode()
    assert post(emulator, body).status_code == 400


def with_text(text: bytes) -> bytes:
    """A create body with one request, whose prompt is `text`, put into the JSON as it is."""
    head = b'{"requests":[{"custom_id":"a","params":{"model":"claude-haiku-5-5","max_tokens":9,"messages":'
    return head + b'[{"role":"user","content":"' + text + b'"}]}}]}'


@pytest.mark.parametrize("text", [b"\\ud800", b"\xff", b"a\nb"])
def test_text_that_is_not_json_is_refused(emulator: RunningEmulator, text: bytes) -> None:
    """Lone surrogates, bytes that are no UTF-8, bare newlines."""
    assert error_of(post(emulator, with_text(text)))[:2] == (400, "invalid_request_error")


@pytest.mark.parametrize("text", [b"\\u0000", "\U0001f600 日本".encode(), b"\\ud83d\\ude00", b"\\n"])
def test_odd_characters_are_answered(client: Anthropic, emulator: RunningEmulator, text: bytes) -> None:
    """Nulls, emoji as bytes and as escapes, nothing but white space."""
    made = post(emulator, with_text(text)).json()
    emulator.advance(3600)
    (line,) = client.messages.batches.results(made["id"])
    assert line.result.type == "succeeded"


JSON_SPACE = st.text(alphabet=" \n\t\r", max_size=3)


@given(
    values=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3), min_size=1, max_size=8),
    spaces=st.lists(JSON_SPACE, min_size=4, max_size=4),
)
def test_requests_are_found_whatever_the_formatting(
    values: list[dict[str, str]],
    spaces: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each place in the index is exactly one request, in order."""
    items = [
        json.dumps({"custom_id": f"r{n}", "params": value}, ensure_ascii=n % 2 == 0) for n, value in enumerate(values)
    ]
    a, b, c, d = spaces
    path = tmp_path_factory.mktemp("body") / "body.json"
    path.write_bytes(f'{a}{{{b}"requests"{c}:{d}[{a}{(b + "," + c).join(items)}{d}]{a}}}{b}'.encode())
    index = index_body(path, max_requests=10)
    body = path.read_bytes()
    found = [body[start : start + size].decode() for start, size in zip(index.starts, index.sizes, strict=True)]
    assert found == items
    assert index.ids.split() == [f"r{n}".encode() for n in range(len(items))]


def test_count_tokens_checks_the_prompt_too(client: Anthropic) -> None:
    """An unknown model is a 404, and no max_tokens is needed."""
    many = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "word " * 400}])
    few = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "word"}])
    assert many.input_tokens > 400 > few.input_tokens > 0
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="claude-9", messages=[{"role": "user", "content": "x"}])
