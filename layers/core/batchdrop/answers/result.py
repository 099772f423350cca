"""The API's messages, results and Message Batches, decoded as far as batchdrop needs them."""

from __future__ import annotations

from typing import Protocol

import msgspec

SERVER_TOOL_CALLS = {"server_tool_use", "mcp_tool_use"}


class CacheCreation(msgspec.Struct, frozen=True, gc=False):
    """Input tokens written to the prompt cache, by the time that they stay there."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ServerToolUse(msgspec.Struct, frozen=True, gc=False):
    """How often the API ran its own tools for an answer; each web search costs a fee."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one answer, as the API counts them. Cached tokens are not in `input_tokens`.

    `service_tier` decides the price: `batch` costs half, `standard` and `priority` occur in the live lane. So do
    `inference_geo` and `speed`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    server_tool_use: ServerToolUse | None = None

    @property
    def prompt_tokens(self) -> int:
        """Return the whole prompt's tokens, cached parts included."""
        return self.input_tokens + (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)


class Block(msgspec.Struct, frozen=True, gc=False):
    """A content block; only text blocks have text, only tool calls have `name` and `input` (raw JSON)."""

    type: str
    text: str = ""
    name: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()

    @property
    def is_server_tool(self) -> bool:
        """Return whether it is a call of a tool that the API runs, or such a tool's result."""
        return self.type in SERVER_TOOL_CALLS or self.type.endswith("_tool_result")


class Message(msgspec.Struct, frozen=True, gc=False):
    """The model's answer."""

    model: str
    content: list[Block]
    stop_reason: str | None
    usage: Usage

    @property
    def text(self) -> str:
        """Return the text blocks after the last block of a server tool, joined: earlier text announces the tool."""
        blocks = self.content
        if len(blocks) == 1 and blocks[0].type == "text":  # nearly always
            return blocks[0].text
        tools = [place for place, block in enumerate(blocks) if block.is_server_tool]
        blocks = blocks[tools[-1] + 1 :] if tools else blocks
        return "".join([block.text for block in blocks if block.type == "text"])


class Billed(Protocol):
    """Anything with the fields that decide an answer's cost."""

    @property
    def model(self) -> str:
        """Return the model that answered."""

    @property
    def usage(self) -> Usage:
        """Return the tokens that are billed."""


class ErrorDetail(msgspec.Struct, frozen=True, gc=False):
    """The inner error. Its type decides the row's fate."""

    type: str
    message: str = ""


class ErrorEnvelope(msgspec.Struct, frozen=True, gc=False):
    """An error as the API nests it: `{type: error, error: {type, message}}`."""

    error: ErrorDetail


class Succeeded(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="succeeded"):
    """The request was answered, and billed."""

    message: Message


class Errored(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="errored"):
    """The request failed; not billed."""

    error: ErrorEnvelope


class Canceled(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="canceled"):
    """The Message Batch was canceled before the request's turn; not billed."""


class Expired(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="expired"):
    """The Message Batch expired before the request's turn; not billed."""


class Unreadable(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="unreadable"):
    """batchdrop's own type: the API's record of the request cannot be read, so the request may be billed."""


class Uncertain(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="uncertain"):
    """batchdrop's own type: the request was sent, and the API gave no result for it, so it may be billed."""

    reason: str = ""


Result = Succeeded | Errored | Canceled | Expired | Unreadable | Uncertain


class RequestCounts(msgspec.Struct, frozen=True, gc=False):
    """A Message Batch's own counts. All but `processing` stay 0 until the whole Message Batch has ended."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """Return the number of requests in the Message Batch."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class MessageBatch(msgspec.Struct, frozen=True, gc=False):
    """The fields of a Message Batch that batchdrop uses."""

    id: str
    processing_status: str  # in_progress, canceling, ended; and what the API may add
    request_counts: RequestCounts
    created_at: str
    ended_at: str | None = None
    results_url: str | None = None
