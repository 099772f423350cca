"""Send a few requests to the Messages API at once, and return their result lines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

import msgspec

from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.answers.result_line import errored_line, succeeded_line
from batchdrop.cli.run.service import Service
from batchdrop.errors import AccountTrouble
from batchdrop.limits import LONGEST_LIVE_ANSWER
from batchdrop.live_lane.expected_seconds import is_streamed
from batchdrop.live_lane.ports import MessageApi
from batchdrop.live_lane.reply import Answer, Passing, Refused, Throttled
from batchdrop.live_lane.tries import LastError, Tries

AT_ONCE = 8
MOST_REFUSALS = 20  # 429, 529 or 502 in a row: the person who waits should hear of them
WAIT_SECONDS = 1.0  # after a refusal that names no time, and at first after a failure
EMULATOR_KEY = "sk-emulator"  # the emulator accepts any key


class _Head(msgspec.Struct):
    max_tokens: int = 0


_HEAD = msgspec.json.Decoder(_Head)


def send_all(
    service: Service, requests: Mapping[int, bytes], betas: tuple[str, ...], keep: Callable[[int, bytes], None]
) -> None:
    """Send requests, a few at once, and give each one's result line to `keep` as soon as it is there.

    A lost answer may be paid, so a request is sent once more after that, and never a third time. Raises AccountTrouble
    for the key and the account, when all open requests have ended.
    """
    with _access(service) as access:
        api = AiohttpMessageApi(**access)
        asyncio.run(_sent(api, requests, betas, keep))


@contextmanager
def _access(service: Service) -> Iterator[dict[str, Any]]:
    if service.base_url is not None:
        yield service.access()
        return
    from batchdrop.local.claude_api.testing import running_emulator

    with running_emulator(speed=1) as emulator:
        yield {"api_key": EMULATOR_KEY, "base_url": emulator.base_url}


async def _sent(
    api: AiohttpMessageApi,
    requests: Mapping[int, bytes],
    betas: tuple[str, ...],
    keep: Callable[[int, bytes], None],
) -> None:
    room, trouble = asyncio.Semaphore(AT_ONCE), list[AccountTrouble]()

    async def one(number: int, params: bytes) -> None:
        async with room:
            if not trouble:
                try:
                    keep(number, await answered(api, str(number), params, betas))
                except AccountTrouble as error:
                    trouble.append(error)

    try:
        await asyncio.gather(*(one(number, params) for number, params in requests.items()))
    finally:
        await api.close()
    if trouble:
        raise trouble[0]


async def answered(
    api: MessageApi, name: str, params: bytes, betas: tuple[str, ...], *, wait_seconds: float = WAIT_SECONDS
) -> bytes:
    """Send one request until it has an answer, is refused, or was tried often enough. Return its result line."""
    tries, last, refusals = Tries(), LastError(), 0
    streamed = is_streamed(_HEAD.decode(params).max_tokens)
    while True:
        began = monotonic()
        reply = await api.send(params, within=LONGEST_LIVE_ANSWER, is_streamed=streamed, betas=betas)
        wait = wait_seconds * 2 ** (tries.failures + tries.lost)
        match reply:
            case Answer(body=body):
                return succeeded_line(name, body, monotonic() - began)
            case Refused(kind=kind, message=message):
                return errored_line(name, kind, message)
            case Throttled():
                refusals += 1
                wait = wait_seconds if reply.retry_after is None else reply.retry_after
            case Passing(is_uncertain=True):
                tries.lost += 1
            case Passing():
                tries.failures += 1
        last.note(reply.kind, reply.message)
        if tries.have_ended or refusals >= MOST_REFUSALS:
            return tries.line(name, last.kind, last.message)
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))
