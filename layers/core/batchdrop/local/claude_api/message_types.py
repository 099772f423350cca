"""The API's responses: the shapes of the SDK's `Message`, `Usage` and batch results."""

from typing import Any

import msgspec


class CacheCreation(msgspec.Struct, kw_only=True, frozen=True):
    """Input tokens written to the prompt cache, by time to live."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


NO_CACHE_CREATION = CacheCreation()


class ServerToolUse(msgspec.Struct, kw_only=True, frozen=True):
    """How often the API ran its own tools."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0


class Usage(msgspec.Struct, kw_only=True, frozen=True):
    """Billed tokens; the prompt is the sum of the three input counts."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation = NO_CACHE_CREATION
    output_tokens: int
    service_tier: str
    inference_geo: str = "not_available"
    server_tool_use: ServerToolUse | None = None


class TextBlock(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Text from the model."""

    text: str
    citations: list[dict[str, Any]] | None = None


class ThinkingBlock(msgspec.Struct, frozen=True, tag_field="type", tag="thinking"):
    """The model's thinking."""

    thinking: str
    signature: str


class ServerToolUseBlock(msgspec.Struct, frozen=True, tag_field="type", tag="server_tool_use"):
    """A call of a tool that the API runs."""

    id: str
    name: str
    input: dict[str, Any]


class WebSearchResultBlock(msgspec.Struct, frozen=True, tag_field="type", tag="web_search_tool_result"):
    """The result of one web search."""

    tool_use_id: str
    content: list[dict[str, Any]]


class ToolUseBlock(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A tool call from the model."""

    id: str
    name: str
    input: dict[str, Any]


ContentBlock = TextBlock | ThinkingBlock | ServerToolUseBlock | WebSearchResultBlock | ToolUseBlock


class Message(msgspec.Struct, kw_only=True, frozen=True):
    """The answer to one request."""

    id: str
    type: str = "message"
    role: str = "assistant"
    model: str
    content: list[ContentBlock]
    stop_reason: str
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: Usage
