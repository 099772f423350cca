"""POST /v1/messages and /v1/messages/count_tokens."""

import asyncio
import math
from functools import partial

import msgspec
from starlette.responses import Response

from batchdrop.local.claude_api import prompt_cache
from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.fake_model import Request, failure, read_request, request_of
from batchdrop.local.claude_api.message_types import Message
from batchdrop.local.claude_api.params import check_prompt, read_countable
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.streams import streamed
from batchdrop.local.claude_api.visit import Visit


async def create(visit: Visit) -> Response:
    """POST /v1/messages. Fates that only batches have (expired, canceled) give an ordinary answer here."""
    state, settings = visit.state, visit.state.settings
    body = await visit.body(settings.max_message_bytes)
    request = read_request(
        body,
        lane="standard",
        version=visit.version,
        betas=visit.betas,
        strict_schemas=settings.strict_schemas,
    )
    limits = state.limits.of_model(request.params.model)
    visit.limit_headers = limits.headers
    found = state.model.cache.readable(request.params, state.clock.now())  # calls at the same time all write
    limits.admit(request.input_tokens - found)
    number = state.next_number("message")
    await asyncio.sleep(latency(settings, number))
    message = _answer(visit, request, number, found)
    limits.settle(message.usage.output_tokens)
    visit.put_on_bill = partial(state.bill.add_live, message, request.prompt.digest.hex(), state.clock.now())
    if request.params.stream:
        return streamed(message)
    return Response(msgspec.json.encode(message), media_type="application/json")


async def count_tokens(visit: Visit) -> Response:
    """POST /v1/messages/count_tokens: free, an estimate, with its own rate limit."""
    visit.state.limits.admit_count()
    params = read_countable(await visit.body(visit.state.settings.max_message_bytes))
    check_prompt(params)
    tokens = request_of(params).input_tokens
    return Response(msgspec.json.encode({"input_tokens": tokens}), media_type="application/json")


def latency(settings: Settings, number: int) -> float:
    """Return the real seconds that answer `number` takes: constant, or lognormal around the median."""
    if settings.latency_sigma == 0:
        return settings.latency_seconds
    deviate = Dice("latency", str(settings.seed), str(number)).gauss()
    return settings.latency_seconds * math.exp(settings.latency_sigma * deviate)


def _answer(visit: Visit, request: Request, number: int, found: int) -> Message:
    state, settings = visit.state, visit.state.settings
    fate = state.model.fate(request, settings, "live", str(number))
    if fate.kind == "errored":
        raise failure(fate)
    now = state.clock.now()
    use = prompt_cache.Visit("standard", now, now, found)
    return state.model.message(request, fate, visit=use, settings=settings)
