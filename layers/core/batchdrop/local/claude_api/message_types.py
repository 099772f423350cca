"""The API's responses: the shapes of the SDK's `Message`, `Usage` and batch results."""

from typing import Any

import msgspec


class CacheCreation(msgspec.Struct, kw_only=True, frozen=True):
    """Input tokens written to the prompt cache, by time to live."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


NO_CACHE_CREATION = CacheCreation()


class Usage(msgspec.Struct, kw_only=True, frozen=True):
    """Billed tokens; the prompt is the sum of the three input counts."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation = NO_CACHE_CREATION
    output_tokens: int
    service_tier: str
    inference_geo: str = "not_available"


class TextBlock(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Text from the model."""

    text: str


class ToolUseBlock(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A tool call from the model."""

    id: str
    name: str
    input: dict[str, Any]


class Message(msgspec.Struct, kw_only=True, frozen=True):
    """The answer to one request."""

    id: str
    type: str = "message"
    role: str = "assistant"
    model: str
    content: list[TextBlock | ToolUseBlock]
    stop_reason: str
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: Usage
