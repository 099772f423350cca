"""Messages through the official SDK: answers, usage, the prompt cache, keys and versions."""

import asyncio
import time
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message

from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import MODEL, error_of, finished, one, params, post, requests, result


def text_of(message: Message) -> str:
    """The answer's text."""
    (block,) = message.content
    assert block.type == "text"
    return block.text


def test_the_answer_has_the_shape_of_the_sdk(client: Anthropic) -> None:
    """Strict validation of the response finds nothing to say."""
    strict = client.copy(_extra_kwargs={"_strict_response_validation": True})
    message = strict.messages.create(**params("Say hello to the world of reviews"))
    assert message.id.startswith("msg_")
    assert (message.type, message.role, message.model) == ("message", "assistant", MODEL)
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.usage.service_tier == "standard"
    assert message.usage.input_tokens > 5
    assert message.usage.output_tokens > 5
    assert text_of(message)


def test_batch_objects_pass_strict_validation_too(client: Anthropic, emulator: RunningEmulator) -> None:
    """Batches, pages and result lines."""
    strict = client.copy(_extra_kwargs={"_strict_response_validation": True})
    batch = finished(strict, emulator, requests(2))
    assert len(list(strict.messages.batches.list())) == 1
    assert all(line.result.type == "succeeded" for line in strict.messages.batches.results(batch.id))


def test_the_same_request_gets_the_same_answer_in_both_lanes(client: Anthropic, emulator: RunningEmulator) -> None:
    """Answers are a pure function of the request: again, later, in a batch, after a reset."""
    first = client.messages.create(**params("What about tea?"))
    emulator.advance(1000)
    again = client.messages.create(**params("What about tea?"))
    batched = result(client, emulator, "What about tea?").message
    other = client.messages.create(**params("What about coffee?"))
    emulator.reset()
    anew = client.messages.create(**params("What about tea?"))
    assert first.to_dict() == again.to_dict() == anew.to_dict()
    assert text_of(batched) == text_of(first) != text_of(other)


def test_another_seed_gives_other_answers(client: Anthropic, emulator: RunningEmulator) -> None:
    """The seed is part of the hash."""
    before = client.messages.create(**params("Tell me a long story about the sea and the wind and the rain tonight"))
    emulator.settings(seed=7)
    after = client.messages.create(**params("Tell me a long story about the sea and the wind and the rain tonight"))
    assert before.id != after.id


def test_the_asynchronous_sdk_gets_it_too(emulator: RunningEmulator, client: Anthropic) -> None:
    """`create` and `count_tokens`, awaited."""

    async def ask() -> tuple[Message, int]:
        async with AsyncAnthropic(api_key="k", base_url=emulator.base_url) as sdk:
            counted = await sdk.messages.count_tokens(model=MODEL, messages=params("Hi there")["messages"])
            return await sdk.messages.create(**params("Hi there")), counted.input_tokens

    message, counted = asyncio.run(ask())
    assert message == client.messages.create(**params("Hi there"))
    assert counted == message.usage.input_tokens


def test_max_tokens_cuts_the_answer(client: Anthropic) -> None:
    """The text is a prefix of the whole answer and the usage is the limit."""
    whole = client.messages.create(**params("Describe the sea at night in many words please"))
    cut = client.messages.create(**params("Describe the sea at night in many words please", max_tokens=5))
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 5)
    assert text_of(whole).startswith(text_of(cut))
    assert len(text_of(cut)) < len(text_of(whole))


def test_max_tokens_0_only_fills_the_cache(client: Anthropic) -> None:
    """No content and no output tokens."""
    message = client.messages.create(**params("x", max_tokens=0))
    assert (message.content, message.usage.output_tokens) == ([], 0)


def test_stop_sequences_stop(client: Anthropic) -> None:
    """The answer ends before the sequence, which is named."""
    message = client.messages.create(**params("Reply with one of: red.green, blue.green", stop_sequences=["e"]))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "e")
    assert "e" not in "".join(block.text for block in message.content if block.type == "text")


def test_a_stream_is_the_same_message(client: Anthropic) -> None:
    """The SDK puts its events together to what it gets unstreamed; both are billed."""
    with client.messages.stream(**params("a stream of words")) as stream:
        streamed = stream.get_final_message()
    whole = client.messages.create(**params("a stream of words"))
    assert streamed.to_dict() == whole.to_dict()


def test_latency_is_real_time(client: Anthropic, emulator: RunningEmulator) -> None:
    """The clock stands still, the answer still takes its time."""
    emulator.settings(latency_seconds=0.15)
    started = time.monotonic()
    client.messages.create(**params("x"))
    assert time.monotonic() - started >= 0.15


def test_a_long_shared_prefix_is_written_once_then_read(client: Anthropic, emulator: RunningEmulator) -> None:
    """First a cache write, then reads, until its time to live has passed."""
    system: Any = [{"type": "text", "text": "rule " * 2000, "cache_control": {"type": "ephemeral"}}]
    first = client.messages.create(**params("one", system=system)).usage
    second = client.messages.create(**params("two", system=system)).usage
    emulator.advance(301)
    third = client.messages.create(**params("three", system=system)).usage
    written = first.cache_creation_input_tokens
    assert written is not None
    assert written > 1024
    assert first.cache_creation is not None
    assert first.cache_creation.ephemeral_5m_input_tokens == written
    assert (first.cache_read_input_tokens, second.cache_read_input_tokens) == (0, written)
    assert (second.cache_creation_input_tokens, third.cache_creation_input_tokens) == (0, written)
    assert first.input_tokens == second.input_tokens < 30


def test_the_cache_can_last_an_hour_and_works_in_batches(client: Anthropic, emulator: RunningEmulator) -> None:
    """Requests of a Message Batch read what an earlier one wrote."""
    mark = {"type": "ephemeral", "ttl": "1h"}
    system: Any = [{"type": "text", "text": "rule " * 2000, "cache_control": mark}]
    finished(client, emulator, requests(1, system=system))
    batch = finished(client, emulator, requests(5, system=system))
    usages = [line.result.message.usage for line in client.messages.batches.results(batch.id)
              if line.result.type == "succeeded"]  # fmt: skip
    assert all(usage.cache_read_input_tokens and not usage.cache_creation_input_tokens for usage in usages)
    first, *_ = emulator.bill()
    assert first["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] > 1024


def test_short_prefixes_are_not_cached(client: Anthropic) -> None:
    """Less than 1,024 tokens."""
    system: Any = [{"type": "text", "text": "rule " * 100, "cache_control": {"type": "ephemeral"}}]
    usage = client.messages.create(**params("one", system=system)).usage
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


@pytest.mark.parametrize("style", [{"x-api-key": "k"}, {"x-api-key": "", "authorization": "Bearer k"}])
def test_both_styles_of_key_are_accepted(emulator: RunningEmulator, style: dict[str, str]) -> None:
    """X-Api-Key, and Authorization: Bearer."""
    assert post(emulator, params("x"), "/v1/messages", **style).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "", "authorization": "Basic k"}, 401),
        ({"x-api-key": "sk-revoked"}, 401),
        ({"x-api-key": "sk-unpaid"}, 402),
        ({"x-api-key": "sk-forbidden"}, 403),
        ({"anthropic-version": ""}, 400),
        ({"anthropic-version": "2024-01-01"}, 400),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batches"])
def test_refused_callers(emulator: RunningEmulator, headers: dict[str, str], status: int, path: str) -> None:
    """A missing or refused key, a missing or unknown version."""
    assert error_of(post(emulator, params("x"), path, **headers))[0] == status


def test_accepted_keys_can_be_set(client: Anthropic, emulator: RunningEmulator) -> None:
    """Any other key is a 401, also for the key of the SDK."""
    emulator.settings(accepted_keys=["sk-only"])
    with pytest.raises(anthropic.AuthenticationError):
        client.messages.create(**params("x"))
    assert post(emulator, params("x"), "/v1/messages", **{"x-api-key": "sk-only"}).status_code == 200


def test_every_answer_has_a_request_id(emulator: RunningEmulator, client: Anthropic) -> None:
    """Also errors, in header and body; no two alike."""
    good = client.messages.with_raw_response.create(**params("x"))
    bad = post(emulator, b"{", "/v1/messages")
    assert good.headers["request-id"].startswith("req_")
    assert bad.json()["request_id"] == bad.headers["request-id"] != good.headers["request-id"]


def test_unknown_paths_and_methods_answer_in_the_apis_words(emulator: RunningEmulator) -> None:
    """404 not_found_error; 405 too is JSON."""
    assert error_of(post(emulator, {}, "/v1/complete"))[:2] == (404, "not_found_error")
    assert error_of(post(emulator, {}, "/v1/messages/batches/x"))[0] == 405


def test_it_works_without_a_socket() -> None:
    """`create_app` behind httpx2's ASGITransport."""
    state = EmulatorState(Settings(speed=0))

    async def ask() -> list[str]:
        transport = httpx2.ASGITransport(create_app(state))
        http = anthropic.DefaultAsyncHttpxClient(transport=transport)
        async with AsyncAnthropic(api_key="k", base_url="http://emulator", http_client=http, max_retries=0) as sdk:
            batch = await sdk.messages.batches.create(requests=one("hello"))
            state.clock.advance(3600)
            types: list[str] = [line.result.type async for line in await sdk.messages.batches.results(batch.id)]
            return types

    try:
        assert asyncio.run(ask()) == ["succeeded"]
    finally:
        state.close()
