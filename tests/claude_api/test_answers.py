"""Answers that fit: alternatives, sentiment, JSON schemas, and fates by magic words or chance."""

import json
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.local.claude_api.alternatives import alternatives_in
from batchdrop.local.claude_api.sentiment import sentiment
from batchdrop.local.claude_api.testing import RunningEmulator
from batchdrop.local.claude_api.tokens import count_tokens, cut_to_tokens
from tests.claude_api.asks import MODEL, error_of, finished, params, post, requests, result


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("Classify it as positive, neutral or negative: red or blue", ("positive", "neutral", "negative")),
        ("Answer with one of: spam, ham, eggs.", ("spam", "ham", "eggs")),
        ("Label: one of `A`, `B` or `C`", ("A", "B", "C")),
        ("Reply yes or no.", ("yes", "no")),
        ("Sentiment: positive/neutral/negative", ("positive", "neutral", "negative")),
        (
            "次のレビューをポジティブ、ニュートラル、ネガティブのいずれかに分類",
            ("ポジティブ", "ニュートラル", "ネガティブ"),
        ),
        ("「良い」「悪い」のどちらかで答えて", ("良い", "悪い")),
        ("I bought a red or blue one", ()),
        ("Tell me a story", ()),
    ],
)
def test_alternatives_are_found(text: str, alternatives: tuple[str, ...]) -> None:
    """In the prompt's own spelling."""
    assert alternatives_in(text) == alternatives


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("I love it, great!", 1),
        ("Terrible. It broke.", -1),
        ("Not good at all", -1),
        ("最高でした。とても満足", 1),
        ("すぐに壊れた。残念", -1),
        ("It is a box", 0),
    ],
)
def test_sentiment_follows_the_words(text: str, mood: int) -> None:
    """In English and Japanese, with a little negation."""
    found = sentiment(text)
    assert (found > 0) - (found < 0) == mood


def test_the_answer_is_exactly_one_alternative(client: Anthropic, emulator: RunningEmulator) -> None:
    """From the system prompt or the user's, by mood where it can be."""
    system = "Reply with positive, neutral or negative."
    for text, expected in (("It broke, awful", "negative"), ("Wonderful", "positive"), ("A box", "neutral")):
        assert result(client, emulator, text, system=system).message.content[0].text == expected
    other = result(client, emulator, "Which team? one of: billing, sales, support").message.content[0].text
    assert other in {"billing", "sales", "support"}


def test_tokens_are_estimated() -> None:
    """About 4 Latin characters or 1 Japanese one each, 30 % more for the newer models."""
    assert count_tokens("abcd" * 100, "claude-haiku-4-5") == 100
    assert count_tokens("abcd" * 100, MODEL) == 130
    assert count_tokens("日本" * 50, "claude-haiku-4-5") == 100
    assert count_tokens("", MODEL) == 0


@given(text=st.text(max_size=80), limit=st.integers(0, 30))
def test_cutting_never_leaves_too_much(text: str, limit: int) -> None:
    """A prefix within the limit, and the longest such for plain text."""
    cut = cut_to_tokens(text, limit, MODEL)
    assert text.startswith(cut)
    assert count_tokens(cut, MODEL) <= limit
    if text.isascii() and cut != text:
        assert count_tokens(text[: len(cut) + 1], MODEL) > limit


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("[[errored:overloaded_error]]", "overloaded_error"),
        ("[[errored:invalid_request_error]]", "invalid_request_error"),
        ("[[errored:mystery_error]]", "mystery_error"),
        ("[[errored]]", "api_error"),
    ],
)
def test_magic_words_make_errored_results(client: Anthropic, emulator: RunningEmulator, word: str, kind: str) -> None:
    """Of any type, known or not; not charged."""
    found = result(client, emulator, f"Please {word} now")
    assert (found.type, found.error.error.type) == ("errored", kind)
    assert emulator.bill() == []


@pytest.mark.parametrize("word", ["expired", "canceled"])
def test_magic_words_end_a_request_without_an_answer(client: Anthropic, emulator: RunningEmulator, word: str) -> None:
    """In a batch only: in Messages such a prompt is answered."""
    assert result(client, emulator, f"[[{word}]]").type == word
    assert emulator.bill() == []
    assert client.messages.create(**params(f"[[{word}]]")).stop_reason == "end_turn"


@pytest.mark.parametrize("word", ["refusal", "max_tokens", "tool_use", "pause_turn", "model_context_window_exceeded"])
def test_magic_words_force_a_stop_reason(client: Anthropic, emulator: RunningEmulator, word: str) -> None:
    """A paid answer all the same."""
    message = result(client, emulator, f"Tell me [[{word}]] of the story").message
    assert message.stop_reason == word
    assert len(emulator.bill()) == 1
    if word == "refusal":
        assert message.stop_details.type == "refusal"
    if word == "tool_use":
        assert message.content[-1].type == "tool_use"


def test_magic_words_spoil_the_text(client: Anthropic, emulator: RunningEmulator) -> None:
    """No content, broken JSON, or a long answer."""
    config: Any = {"format": {"type": "json_schema", "schema": {"type": "boolean"}}}
    assert result(client, emulator, "[[empty]]").message.content == []
    broken = result(client, emulator, "[[invalid_json]]", output_config=config).message.content[0].text
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    long = result(client, emulator, "[[long:400]]", max_tokens=1000).message
    assert (long.stop_reason, 380 < long.usage.output_tokens <= 401) == ("end_turn", True)
    assert result(client, emulator, "[[long:400]]", max_tokens=200).message.stop_reason == "max_tokens"


def test_once_is_once_for_each_text(client: Anthropic, emulator: RunningEmulator) -> None:
    """The first ask of a text fails, the next is answered, in either lane."""
    for word in ("errored_once:api_error", "expired_once", "max_tokens_once"):
        first = result(client, emulator, f"[[{word}]] a")
        assert first.type != "succeeded" or first.message.stop_reason == "max_tokens"
        assert result(client, emulator, f"[[{word}]] a").message.stop_reason == "end_turn"
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**params("[[errored_once:api_error]] b"))
    assert client.messages.create(**params("[[errored_once:api_error]] b")).stop_reason == "end_turn"


def test_errored_in_messages_is_an_http_error(client: Anthropic, emulator: RunningEmulator) -> None:
    """With the status of its type; not charged."""
    with pytest.raises(anthropic.OverloadedError):
        client.messages.create(**params("[[errored:overloaded_error]]"))
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**params("[[errored:rate_limit_error]]"))
    assert emulator.bill() == []


def test_chance_is_seeded(client: Anthropic, emulator: RunningEmulator) -> None:
    """About the share that was set fails, the same ones with the same seed, others in another batch."""
    lots = []
    for _ in range(2):
        emulator.reset()
        emulator.settings(errored_rate=0.3, expired_rate=0.1, seed=5)
        for _ in range(2):
            batch = finished(client, emulator, requests(200))
            lots.append({line.custom_id: line.result.type for line in client.messages.batches.results(batch.id)})
    assert lots[0] == lots[2]
    assert lots[1] == lots[3] != lots[0]
    types = list(lots[0].values())
    assert 35 < types.count("errored") < 85
    assert 5 < types.count("expired") < 40


@pytest.mark.parametrize("choice", [{"type": "tool", "name": "record"}, {"type": "any"}])
def test_a_forced_tool_is_called(emulator: RunningEmulator, choice: dict[str, str]) -> None:
    """Its input fits its schema; the stop reason is tool_use."""
    schema = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}
    tools = [{"name": "record", "input_schema": schema}]
    answer = post(emulator, params(tools=tools, tool_choice=choice), "/v1/messages").json()
    call = answer["content"][-1]
    assert (answer["stop_reason"], call["type"], call["name"]) == ("tool_use", "tool_use", "record")
    assert call["input"]["label"] in {"a", "b"}


def test_a_forced_tool_that_is_not_there_is_refused(emulator: RunningEmulator) -> None:
    """For the whole request."""
    answer = post(emulator, params(tool_choice={"type": "tool", "name": "record"}), "/v1/messages")
    assert error_of(answer)[:2] == (400, "invalid_request_error")
