"""Answers that take minutes: none is opened that cannot end in time, and so none is bought twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from batchdrop.limits import LONGEST_LIVE_ANSWER, MAX_LIVE_TOKENS
from batchdrop.live_lane.expected_seconds import (
    ENOUGH,
    LEAST_EXPECTED,
    MARGIN,
    ExpectedSeconds,
)
from batchdrop.recipe.lane import seconds_by_rule, too_long_for_live
from tests.live_fakes import FakeMessageApi
from tests.live_lane.slices import SliceWorld
from tests.virtual_time import run

WORKER_SECONDS = 900.0


def _day(world: SliceWorld, *, window: int, seconds: float = 86_400.0) -> list[Any]:
    """Let one worker after another serve the slice, as hand-backs do, for a day at most."""

    async def served() -> list[Any]:
        ended: list[Any] = []
        loop = asyncio.get_running_loop()
        while loop.time() < seconds and not (ended and ended[-1].is_complete):
            ended.append(await world.work(seconds=loop.time() + WORKER_SECONDS, window=window))
        return ended

    return run(served())


@pytest.mark.parametrize(
    ("rows", "seconds", "max_tokens", "window"),
    [
        (1_000, 170.0, 4_096, 200),
        (50, 400.0, 16_000, 200),
        (50, 400.0, 1_024, 200),
        (300, 400.0, 1_024, 100),
        (12, 800.0, MAX_LIVE_TOKENS, 4),
        (40, 839.0, MAX_LIVE_TOKENS, 200),
    ],
)
def test_each_row_is_bought_once(rows: int, seconds: float, max_tokens: int, window: int) -> None:
    """Whatever the answers take, up to the lane's limit."""
    world = SliceWorld(rows=rows, api=FakeMessageApi(seconds=seconds), max_tokens=max_tokens)
    _day(world, window=window)
    assert world.told == [f"re: row {number}" for number in range(rows)]
    assert len(world.api.asked) == rows


def test_an_answer_that_never_ends_is_bought_twice_at_most() -> None:
    """One row takes an hour by the model's whim: it is uncertain after two tries, and the others are answered."""
    world = SliceWorld(rows=20, max_tokens=16_000)
    world.api.script = lambda prompt, _before: (3_600.0, None) if prompt == "row 7" else None
    _day(world, window=20)
    assert Counter(world.api.asked)["row 7"] == 2
    assert world.told[7] == "uncertain"
    assert len(world.api.asked) == 21


def test_a_request_that_is_too_long_says_so() -> None:
    """It is not sent, and the row says what to do."""
    world = SliceWorld(rows=2, max_tokens=MAX_LIVE_TOKENS + 1)
    ended = _day(world, window=2)
    assert len(ended) == 1
    assert world.api.asked == []
    [error, _] = [line["result"]["error"]["error"] for line in world.lines]
    assert error["type"] == "invalid_request_error"
    assert error["message"] == too_long_for_live(MAX_LIVE_TOKENS + 1)
    assert "lane: batch" in error["message"]


def test_long_answers_are_streamed() -> None:
    """Those that may take more than a minute."""
    streamed = {}
    for max_tokens in (16, 2_000, 2_200, 29_000):
        world = SliceWorld(rows=1, max_tokens=max_tokens)
        run(world.work())
        [streamed[max_tokens]] = world.api.streamed
    assert streamed == {16: False, 2_000: False, 2_200: True, 29_000: True}


def test_the_rule_holds_until_the_answers_say_better() -> None:
    """The SDK's rule first; then the longest answer so far, and a half more."""
    expected = ExpectedSeconds()
    assert expected.of(16_000) == seconds_by_rule(16_000) == 450.0
    assert expected.of(16) == LEAST_EXPECTED
    for _ in range(ENOUGH):
        expected.learn(16_000, 40.0)
    assert expected.of(16_000) == MARGIN * 40.0
    assert expected.of(16_001) == seconds_by_rule(16_001)
    assert expected.of(16_000, open_for=100.0) == MARGIN * 100.0


def test_nothing_is_expected_to_take_longer_than_the_lane_has() -> None:
    """Else no worker would ever open it."""
    expected = ExpectedSeconds()
    expected.learn(16, 800.0, is_whole=False)
    assert expected.of(16) == LONGEST_LIVE_ANSWER


def test_the_next_worker_knows_what_the_answers_took() -> None:
    """It reads the seconds in the lines, and opens many short answers although the rule says that they are long."""
    world = SliceWorld(rows=2_000, max_tokens=20_000, api=FakeMessageApi(seconds=2.0))

    async def both() -> list[int]:
        first = await world.work(seconds=650.0, window=4)
        start = asyncio.get_running_loop().time()
        second = await world.work(seconds=start + 300.0, window=4)
        return [first.counts.answered, second.counts.asked]

    first, second = run(both())
    assert first > 4 * ENOUGH
    assert second > 300
