"""POST /v1/messages/count_tokens: free, of the prompt alone, and with a rate limit of its own."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import MODEL, params

ASKED: Any = [{"role": "user", "content": "How are you today?"}]
SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
FORMAT: Any = {"format": {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}}


def test_it_counts_what_is_billed(client: Anthropic) -> None:
    """System prompt, conversation and schema: the same number as in the answer's usage."""
    prompt: Any = {"system": "You are brief.", "output_config": FORMAT, "messages": ASKED}
    counted = client.messages.count_tokens(model=MODEL, **prompt).input_tokens
    billed = client.messages.create(model=MODEL, max_tokens=100, **prompt).usage.input_tokens
    assert counted == billed > client.messages.count_tokens(model=MODEL, messages=ASKED).input_tokens + 20


def test_it_is_free(client: Anthropic, emulator: RunningEmulator) -> None:
    """Nothing is on the bill."""
    client.messages.count_tokens(model=MODEL, messages=ASKED)
    assert emulator.bill_summary()["requests"] == 0


@pytest.mark.parametrize(
    "extra",
    [
        {"max_tokens": 10},
        {"metadata": {"user_id": "u"}},
        {"stop_sequences": ["x"]},
        {"stream": True},
        {"temprature": 1},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_what_says_how_to_answer_is_refused(client: Anthropic, extra: dict[str, Any]) -> None:
    """The service knows no such input here."""
    with pytest.raises(anthropic.BadRequestError, match=f"{next(iter(extra))}.*not permitted"):
        client.messages.count_tokens(model=MODEL, messages=ASKED, extra_body=extra)


def test_its_calls_run_out_and_come_back(client: Anthropic, emulator: RunningEmulator) -> None:
    """429 with retry-after, and the limits of Messages are not touched, nor do they touch it."""
    emulator.settings(count_tokens_rpm=2, messages_rpm=1)
    client.messages.create(**params("x"))
    for _ in range(2):
        client.messages.count_tokens(model=MODEL, messages=ASKED)
    with pytest.raises(anthropic.RateLimitError, match="2 token counting requests per minute") as caught:
        client.messages.count_tokens(model=MODEL, messages=ASKED)
    assert caught.value.response.headers["retry-after"] == "30"
    emulator.advance(30)
    client.messages.count_tokens(model=MODEL, messages=ASKED)
