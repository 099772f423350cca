"""Betas are a header of each paid call, in both lanes and in `check --exact`; the emulator believes only the header."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter
from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.errors import CountRefused
from batchdrop.job.layout import JobKeys
from batchdrop.live_lane.reply import Answer, Refused, Reply
from batchdrop.live_lane.slice import Slice
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.recipe.recipe import parse_recipe
from tests.bodies import Body
from tests.fakes import JsonObject
from tests.jobs import JOB, World, dropped, reviews
from tests.live_lane.slices import SliceWorld
from tests.virtual_time import run

LONG = "output-300k-2026-03-24"
RECIPE = f"model: claude-haiku-5-5\nmax_tokens: 200000\nprompt: 'ask {{{{ x }}}}'\nbetas: [{LONG}, x-2026-01-01]\n"
PARAMS = b'{"model":"claude-haiku-5-5","max_tokens":200000,"messages":[{"role":"user","content":"hi"}]}'
BETAS = pytest.mark.parametrize("betas", [(), (LONG,), ("context-1m-2025-08-07", LONG)])


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    """One emulator for this module."""
    with running_emulator() as running:
        yield running


@BETAS
def test_the_batch_lane_sends_the_header(emulator: RunningEmulator, betas: tuple[str, ...]) -> None:
    """With the create, whose requests are checked later."""
    api = AnthropicBatchCreator(api_key="sk-test", base_url=emulator.base_url)
    line = b'{"custom_id":"a","params":%b}' % PARAMS
    batch = api.create(Body(b'{"requests":[%b]}' % line), timeout=5, betas=betas)
    emulator.advance(timedelta(days=1).total_seconds())
    [result] = b"".join(api.results(api.retrieve(batch.id))).splitlines()
    assert msgspec.json.decode(result)["result"]["type"] == ("succeeded" if betas else "errored")


@BETAS
def test_the_live_lane_sends_the_header(emulator: RunningEmulator, betas: tuple[str, ...]) -> None:
    """With each request."""

    async def asked() -> Reply:
        api = AiohttpMessageApi(api_key="sk-test", base_url=emulator.base_url)
        try:
            return await api.send(PARAMS, within=10, betas=betas)
        finally:
            await api.close()

    assert isinstance(asyncio.run(asked()), Answer if betas else Refused)


def test_counting_tokens_sends_the_header(emulator: RunningEmulator) -> None:
    """A beta may change what is counted; one without a date is refused."""
    for betas, error in ((("context-1m-2025-08-07",), None), (("no-date",), CountRefused)):
        counter = AnthropicTokenCounter(api_key="sk-test", base_url=emulator.base_url, betas=betas)
        if error is None:
            assert counter.count(PARAMS) > 0
        else:
            with pytest.raises(error, match="anthropic-beta"):
                counter.count(PARAMS)
        counter.close()


@pytest.mark.parametrize("lane", ["batch", "live"])
def test_a_job_sends_its_recipes_betas(lane: str) -> None:
    """In every round; a job without betas sends none."""
    asks = RECIPE.replace("200000", "20000")  # the live lane takes no longer answers
    for recipe, betas in ((asks, (LONG, "x-2026-01-01")), (asks.partition("betas")[0], ())):
        world = dropped(reviews(2), recipe=f"{recipe}lane: {lane}\n")
        world.run()
        assert {*world.api.betas, *world.messages.betas} == {betas}
        assert "betas" not in _sent(world)["params"]


def test_a_worker_takes_the_betas_from_its_message() -> None:
    """It does not read the manifest, which is long in a job of many shards. A message of version 0.1.0 has none."""
    asks = RECIPE.replace("200000", "20000")
    for is_old, betas in ((False, ("y-2026-01-01",)), (True, (LONG, "x-2026-01-01"))):
        world = dropped(reviews(2), recipe=f"{asks}lane: live\n")
        world.split()
        body = world.store.read(JobKeys(JOB).requests(0))
        piece = Slice(JOB, 0, 0, 0, 0, len(body), 2, betas=None if is_old else betas)
        lane = SliceWorld(rows=2, store=world.store)
        lane.piece = piece
        run(lane.work())
        assert {*lane.api.betas} == {betas}


def _sent(world: World) -> JsonObject:
    request: JsonObject = world.requests(0)[0]
    return request


@pytest.mark.parametrize("beta", ["", "a b", "Ä", "x,y", "x\r\ny"])
def test_what_no_header_can_hold_is_refused(beta: str) -> None:
    """With its place."""
    with pytest.raises(Exception, match=r"r\.yaml: key 'betas\[0\]': .*not the name of a beta"):
        parse_recipe({"model": "m", "prompt": "{{ x }}", "betas": [beta]}, name="r.yaml")


@pytest.mark.parametrize("name", ["betas", "extra_body", "extra_headers"])
def test_arguments_of_the_sdk_are_refused_in_params(name: str) -> None:
    """The API answers 400 to them in each row, hours later; the message has the fix."""
    with pytest.raises(Exception, match=rf"key 'params\.{name}': .*(recipe itself|directly)"):
        parse_recipe({"model": "m", "prompt": "{{ x }}", "params": {name: {}}}, name="r.yaml")
