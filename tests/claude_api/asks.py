"""Requests and calls that the tests share."""

import json
from typing import Any

import httpx2
from anthropic import Anthropic
from anthropic.types.messages import MessageBatch
from anthropic.types.messages.batch_create_params import Request

from batchdrop.local.claude_api.testing import RunningEmulator

MODEL = "claude-haiku-5-5"
HEADERS = {"x-api-key": "sk-test", "anthropic-version": "2026-10-21"}


def params(text: str = "Say something.", **more: Any) -> Any:
    """Params of a request with one user message."""
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


def requests(count: int, text: str = "Tell me about number", **more: Any) -> list[Request]:
    """Distinct requests `row-0`, `row-1`, ..."""
    return [{"custom_id": f"row-{n}", "params": params(f"{text} {n}", **more)} for n in range(count)]


def one(text: str, **more: Any) -> list[Request]:
    """A single request `row-0`."""
    return [{"custom_id": "row-0", "params": params(text, **more)}]


def finished(client: Anthropic, emulator: RunningEmulator, asked: list[Request]) -> MessageBatch:
    """A Message Batch that has ended."""
    batch = client.messages.batches.create(requests=asked)
    emulator.advance(3600)
    return client.messages.batches.retrieve(batch.id)


def fates(client: Anthropic, batch_id: str) -> dict[str, str]:
    """The result type of each custom_id."""
    return {line.custom_id: line.result.type for line in client.messages.batches.results(batch_id)}


def result(client: Anthropic, emulator: RunningEmulator, text: str, **more: Any) -> Any:
    """The result of the only request of a new Message Batch."""
    batch = finished(client, emulator, one(text, **more))
    (line,) = client.messages.batches.results(batch.id)
    return line.result


def post(
    emulator: RunningEmulator, body: object, path: str = "/v1/messages/batches", **headers: str
) -> httpx2.Response:
    """A raw POST; a body that is not bytes is put as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(emulator.base_url + path, content=content, headers={**HEADERS, **headers})


def error_of(response: httpx2.Response) -> tuple[int, str, str]:
    """Status, error type and message."""
    error = response.json()["error"]
    return response.status_code, error["type"], error["message"]
