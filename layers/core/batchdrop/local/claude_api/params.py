"""A request's `params`: their types, and what the API refuses in them.

In a Message Batch, a request is checked when it is processed, so a bad one becomes an `errored` result. In Messages,
the check's error is the response.
"""

from typing import Any, Literal

import msgspec

from batchdrop.local.claude_api.content import Block, CacheControl, check_block
from batchdrop.local.claude_api.errors import NOT_FOUND, ApiError, invalid
from batchdrop.local.claude_api.prices import MODELS
from batchdrop.local.claude_api.schema_rules import schema_fault
from batchdrop.local.claude_api.wording import in_api_words

OLD_VERSION = "2023-06-01"
NEW_VERSION = "2026-10-21"
KNOWN_VERSIONS = frozenset({OLD_VERSION, NEW_VERSION})
MAX_OUTPUT_TOKENS = 128_000  # the largest output in the SDK (which scales its timeout by it)
LONG_OUTPUT, LONG_OUTPUT_TOKENS = "output-300k-2026-03-24", 300_000  # a beta, and the largest output with it
USUAL_SEARCHES = 2  # of a search tool without `max_uses`
SAMPLING = ("temperature", "top_p", "top_k")
COUNTABLE = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"),
        *("speed", "user_profile_id"),
    }
)  # the SDK's MessageCountTokensParams
Api = Literal["batch", "standard"]


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class OutputFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Structured output."""

    type: Literal["json_schema"]
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to format the answer."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool definition; server tools have no schema."""

    name: str
    type: str | None = None
    max_uses: int | None = None
    input_schema: dict[str, Any] | None = None
    cache_control: CacheControl | None = None


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All fields of the SDK's `MessageCreateParams`, and the sampling parameters of the older API version."""

    model: str
    messages: list[Turn]
    max_tokens: int | None = None
    system: str | list[Block] = ""
    cache_control: CacheControl | None = None
    container: Any = None
    diagnostics: Any = None
    inference_geo: str | None = None
    metadata: dict[str, Any] | None = None
    output_config: OutputConfig | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard", "fast"] | None = None
    stop_sequences: list[str] = msgspec.field(default_factory=list)
    stream: bool | None = None
    thinking: dict[str, Any] | None = None
    tool_choice: dict[str, Any] | None = None
    tools: list[Tool] = msgspec.field(default_factory=list)
    user_profile_id: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None

    @property
    def searches(self) -> int:
        """Return how many web searches the pretended model runs: as many as it may, or `USUAL_SEARCHES`."""
        tools = [tool for tool in self.tools if (tool.type or "").startswith("web_search_")]
        return sum(USUAL_SEARCHES if tool.max_uses is None else tool.max_uses for tool in tools)

    @property
    def thinks(self) -> bool:
        """Return whether the answer begins with thinking."""
        return (self.thinking or {}).get("type") in {"enabled", "adaptive"}

    @property
    def forced_tool(self) -> Tool | None:
        """Return the tool of the caller's that `tool_choice` forces."""
        choice = self.tool_choice or {}
        if choice.get("type") not in {"tool", "any"}:
            return None
        named = [tool for tool in self.tools if choice["type"] == "any" or tool.name == choice.get("name")]
        return next((tool for tool in named if tool.input_schema is not None), None)


_DECODER = msgspec.json.Decoder(Params)


def read_params(raw: bytes | memoryview | msgspec.Raw) -> Params:
    """Return decoded `params`; raises ApiError (invalid_request_error) in the API's words."""
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(in_api_words(error)) from error


def read_countable(raw: bytes) -> Params:
    """Return the decoded body of count_tokens: a prompt, without parameters for the answer. Raises ApiError."""
    params = read_params(raw)
    for name in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]):
        if name not in COUNTABLE:
            raise invalid(f"{name}: Extra inputs are not permitted")
    return params


def check_params(
    params: Params, *, lane: Api, version: str, strict_schemas: bool, betas: frozenset[str] = frozenset()
) -> None:
    """Raise ApiError for params that the API refuses; `version` and `betas` are from the call's headers."""
    _check_sampling(params, version)
    most = LONG_OUTPUT_TOKENS if LONG_OUTPUT in betas else MAX_OUTPUT_TOKENS
    _check_max_tokens(params.max_tokens, lane, most)
    if params.stream and lane == "batch":
        msg = "stream: not supported in a batch"
        raise invalid(msg)
    if params.speed is not None and lane == "batch":
        msg = "speed: not supported in a batch"
        raise invalid(msg)
    _check_budget(params)
    check_prompt(params)
    if strict_schemas and params.output_config and params.output_config.format:
        fault = schema_fault(bytes(params.output_config.format.schema))
        if fault is not None:
            raise invalid(f"output_config.format.schema: {fault}")


def check_prompt(params: Params) -> None:
    """Raise ApiError for an unknown model or invalid messages: the checks of count_tokens."""
    if params.model not in MODELS:
        raise ApiError(NOT_FOUND, f"model: {params.model}")
    if not params.messages:
        msg = "messages: at least one message is required"
        raise invalid(msg)
    if params.messages[0].role == "assistant":
        msg = 'messages: first message must use the "user" role'
        raise invalid(msg)
    choice = params.tool_choice or {}
    if choice.get("type") == "tool" and choice.get("name") not in {tool.name for tool in params.tools}:
        raise invalid(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")
    _check_system(params.system)
    for place, turn in enumerate(params.messages):
        _check_turn(turn, place)


def _check_system(system: str | list[Block]) -> None:
    for number, block in enumerate(system if isinstance(system, list) else []):
        if block.type != "text" or not block.text:
            raise invalid(f"system.{number}: system content blocks must be non-empty text")


def _check_turn(turn: Turn, place: int) -> None:
    if not turn.content:
        raise invalid(f"messages.{place}: {turn.role} messages must have non-empty content")
    if isinstance(turn.content, str):
        return
    for number, block in enumerate(turn.content):
        check_block(block, f"messages.{place}.content.{number}")


def _check_max_tokens(max_tokens: int | None, lane: Api, most: int) -> None:
    if max_tokens is None:
        msg = "max_tokens: Field required"
        raise invalid(msg)
    least = 1 if lane == "batch" else 0  # 0 only fills the prompt cache, in Messages only
    if max_tokens < least:
        raise invalid(f"max_tokens: must be greater than or equal to {least}")
    if max_tokens > most:
        raise invalid(f"max_tokens: {max_tokens} > {most}, the maximum allowed number of output tokens")


def _check_budget(params: Params) -> None:
    budget = (params.thinking or {}).get("budget_tokens")
    if isinstance(budget, int) and budget >= (params.max_tokens or 0):
        msg = "max_tokens must be greater than thinking.budget_tokens"
        raise invalid(msg)


def _check_sampling(params: Params, version: str) -> None:
    for name in SAMPLING:
        if getattr(params, name) is not None and version != OLD_VERSION:
            raise invalid(f"{name}: not supported with anthropic-version {version}")
