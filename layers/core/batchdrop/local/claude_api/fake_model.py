"""The pretended model: it checks a request, decides its fate, writes its answer and counts its usage."""

import msgspec

from batchdrop.local.claude_api.answers import Prompt, answer_text, prompt_of
from batchdrop.local.claude_api.content import sight_tokens
from batchdrop.local.claude_api.content_blocks import content_of
from batchdrop.local.claude_api.dice import token
from batchdrop.local.claude_api.errors import ApiError
from batchdrop.local.claude_api.fates import Fate, Fates
from batchdrop.local.claude_api.message_types import (
    NO_CACHE_CREATION,
    CacheCreation,
    Message,
    ServerToolUse,
    Usage,
)
from batchdrop.local.claude_api.packs import faults_of
from batchdrop.local.claude_api.params import Api, Params, check_params, read_params
from batchdrop.local.claude_api.prompt_cache import UNCACHED, PromptCache, Split, Visit
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.tokens import count_tokens, cut_to_tokens

_TURN_TOKENS = 4  # the frame of each turn
_FILLER = "and so on, at some length, "
_REFUSAL = {"type": "refusal", "category": "general_harms", "explanation": "The emulator was told to refuse."}


class Request(msgspec.Struct, frozen=True):
    """A request that passed validation."""

    params: Params
    prompt: Prompt
    input_tokens: int
    """The whole prompt, cached or not."""


class Ending(msgspec.Struct, frozen=True):
    """The end of an answer."""

    text: str
    stop_reason: str
    tokens: int
    """Tokens of the output, at least 1: the end counts, too."""
    stop_sequence: str | None = None


class FakeModel:
    """The pretended model, with its prompt cache and its memory of earlier requests. Thread-safe."""

    def __init__(self) -> None:
        """Start with an empty cache."""
        self.fates = Fates()
        self.cache = PromptCache()

    def fate(self, request: Request, settings: Settings, *chance: str) -> Fate:
        """Return the fate of the request."""
        return self.fates.decide(request.prompt, settings, *chance)

    def message(self, request: Request, fate: Fate, *, visit: Visit, settings: Settings) -> Message:
        """Return the answer to a request that succeeds; `visit` is its use of the prompt cache."""
        params, seed = request.params, settings.seed
        ending = _ending(request, fate, settings)
        split = self.cache.touch(params, visit) if _may_cache(params) else UNCACHED
        return Message(
            id=token("msg", request.prompt.digest, seed),
            model=params.model,
            content=content_of(request.params, request.prompt, ending.text, seed, stop=ending.stop_reason),
            stop_reason=ending.stop_reason,
            stop_sequence=ending.stop_sequence,
            stop_details=_REFUSAL if ending.stop_reason == "refusal" else None,
            usage=_usage(request, split, ending.tokens, visit.api),
        )


def read_request(
    raw: bytes | memoryview | msgspec.Raw,
    *,
    lane: Api,
    version: str,
    strict_schemas: bool,
    betas: frozenset[str] = frozenset(),
) -> Request:
    """Return decoded and checked `params`; raises ApiError like the API."""
    params = read_params(raw)
    check_params(params, lane=lane, version=version, strict_schemas=strict_schemas, betas=betas)
    return request_of(params)


def request_of(params: Params) -> Request:
    """Return the request with its prompt's tokens counted."""
    prompt = prompt_of(params)
    tokens = count_tokens(prompt.system, params.model) + count_tokens(prompt.conversation, params.model)
    tokens += _TURN_TOKENS * len(params.messages)
    for turn in params.messages:
        if not isinstance(turn.content, str):
            tokens += sum(map(sight_tokens, turn.content))
    for tool in params.tools:
        tokens += count_tokens(f"{tool.name} {tool.input_schema}", params.model)
    if params.output_config and params.output_config.format:  # the schema is part of the prompt
        tokens += count_tokens(bytes(params.output_config.format.schema).decode("utf-8", "replace"), params.model)
    return Request(params, prompt, tokens)


def failure(fate: Fate) -> ApiError:
    """Return the error of an errored request."""
    return ApiError(fate.error_type)


def _may_cache(params: Params) -> bool:
    """Return whether any block can have a cache_control, with a cheap check."""
    if params.cache_control or params.tools or not isinstance(params.system, str):
        return True
    for turn in params.messages:  # noqa: SIM110 - a loop is quicker than any() with a generator
        if not isinstance(turn.content, str):
            return True
    return False


def _ending(request: Request, fate: Fate, settings: Settings) -> Ending:
    model, limit = request.params.model, request.params.max_tokens or 0
    text = _told(request, fate, settings)
    reason, stopped_by = fate.stop or "end_turn", None
    for sequence in request.params.stop_sequences:
        if sequence and sequence in text:
            text, reason, stopped_by = text[: text.index(sequence)], "stop_sequence", sequence
    if reason == "max_tokens":
        text = text[: max(1, len(text) // 2)]
    tokens = count_tokens(text, model) + 1
    if tokens <= limit:
        if reason == "end_turn" and request.params.forced_tool is not None:
            reason = "tool_use"
        return Ending(text, reason, tokens, stopped_by)
    return Ending(cut_to_tokens(text, max(0, limit - 1), model), "max_tokens", limit)


def _told(request: Request, fate: Fate, settings: Settings) -> str:
    if fate.twist == "empty":
        return ""
    if fate.stop == "refusal":
        return "I can't help with that."
    model = request.params.model
    unsure, errs = settings.unsure_rates.get(model), settings.error_rates.get(model)
    text = answer_text(request.params, request.prompt, settings.seed, faults_of(settings), unsure=unsure, errs=errs)
    if fate.twist == "invalid_json":
        return f"Here is the answer: {text[:-1]}"
    if fate.twist == "long":
        rounds = fate.size * 6 // len(_FILLER) + 1
        return cut_to_tokens(f"{text} {_FILLER * rounds}", fate.size, request.params.model)
    return text


def _usage(request: Request, split: Split, output: int, lane: Api) -> Usage:
    total, searches = request.input_tokens, request.params.searches
    written = split.written_5m + split.written_1h
    creation = NO_CACHE_CREATION
    if written:
        creation = CacheCreation(
            ephemeral_5m_input_tokens=split.written_5m,
            ephemeral_1h_input_tokens=split.written_1h,
        )
    return Usage(
        input_tokens=max(0, total - split.read - written),
        cache_creation_input_tokens=written,
        cache_read_input_tokens=split.read,
        cache_creation=creation,
        output_tokens=output,
        service_tier=lane,
        inference_geo=request.params.inference_geo or "not_available",
        server_tool_use=ServerToolUse(web_search_requests=searches) if searches else None,
    )
