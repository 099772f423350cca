"""The live lane's worker, in virtual time: what it asks, what it writes, what it leaves to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batchdrop.errors import AccountTrouble, SliceBusy
from batchdrop.job.submission import Halt
from batchdrop.live_lane.answer_flushes import FLUSH_LINES, FLUSH_SECONDS
from batchdrop.live_lane.answer_requests import BEAT_SECONDS, Waiting
from batchdrop.live_lane.reply import Answer, Passing, Refused, Throttled
from batchdrop.live_lane.slice import SliceCounts
from batchdrop.live_lane.slice_sender import TIME_OVER
from batchdrop.live_lane.tries import MOST_FAILURES, MOST_LOST
from tests.fakes import START
from tests.live_fakes import FakeMessageApi, echoed
from tests.live_lane.slices import JOB, KEYS, SliceWorld
from tests.virtual_time import at_once, run

ALL = [f"re: row {number}" for number in range(10)]
DROPPED = Passing("api_error", "the connection broke", is_uncertain=True)
BUSY = Passing("api_error", "HTTP 500")
JAM = Throttled("rate_limit_error", "slow down", 5.0)


def _counts(**changes: Any) -> SliceCounts:
    plain = {"requests": 10, "answered": 10, "errored": 0, "left": 0, "asked": 10, "uncertain": 0, "handed_back": 0}
    return SliceCounts(**{**plain, **changes})


def test_every_request_gets_its_line() -> None:
    """Each row has one line, in the format that Message Batches give, under the slice's own keys."""
    world = SliceWorld()
    answered = run(world.work())
    assert (answered.counts, answered.is_complete, answered.is_ours) == (_counts(), True, True)
    assert world.told == ALL
    assert all(key.startswith("jobs/job/answers/00000.r0.live/00007-") for key in world.flushes)


def test_params_are_sent_to_the_byte() -> None:
    """What the split wrote is what the API gets."""
    world = SliceWorld(rows=2)
    run(world.work())
    body = world.store.read(KEYS.requests(0))
    assert len(world.api.bodies) == 2
    assert all(b'"params":' + sent + b"}" in body for sent in world.api.bodies)


def test_the_window_slides() -> None:
    """One slow answer holds up nobody: the other places of the window go on. No more are open than the window holds."""
    world = SliceWorld(rows=41)
    world.api.script = lambda prompt, _before: (40.0, None) if prompt == "row 0" else None

    async def timed() -> float:
        await world.work(window=5)
        return asyncio.get_running_loop().time()

    assert run(timed()) < 45.0
    assert world.api.most_open == 5


def test_a_slice_is_its_byte_range() -> None:
    """Requests outside of the range are somebody else's."""
    world = SliceWorld()
    body = world.store.read(KEYS.requests(0))
    lines = body.splitlines(keepends=True)
    start = len(b"".join(lines[:4]))
    world.piece = type(world.piece)(JOB, 0, 0, 7, start, start + len(b"".join(lines[4:7])), 3)
    assert run(world.work()).counts == _counts(requests=3, answered=3, asked=3)
    assert world.told == ALL[3:6]


def test_an_answer_over_several_lines_is_one_line() -> None:
    """JSON may be indented; a result line may not."""
    world = SliceWorld(rows=1)
    indented = echoed("row 0").body.replace(b",", b",\r\n  ")
    world.api.script = lambda _prompt, _before: Answer(indented)
    run(world.work())
    assert world.told == ["re: row 0"]


def test_a_second_delivery_asks_nothing_again() -> None:
    """SQS delivers at least once: the second worker reads what is flushed, and tells the same counts."""
    world = SliceWorld()

    async def twice() -> list[SliceCounts]:
        return [(await world.work()).counts, (await world.work()).counts]

    assert run(twice()) == [_counts(), _counts(asked=0, handed_back=1)]
    assert sorted(world.api.asked) == [f"row {number}" for number in range(10)]


def test_two_deliveries_at_once_are_one() -> None:
    """While one worker asks, another one is sent away and asks nothing."""
    world = SliceWorld()

    async def both() -> Any:
        return await asyncio.gather(world.work(), world.work(), return_exceptions=True)

    first, second = run(both())
    assert first.is_complete
    assert isinstance(second, SliceBusy)
    assert len(world.api.asked) == 10


@pytest.mark.parametrize(("reply", "times"), [(BUSY, MOST_FAILURES - 1), (DROPPED, MOST_LOST - 1)])
def test_passing_failures_are_tried_again(reply: Any, times: int) -> None:
    """A row that fails some times and is answered then has one line, an answer."""
    world = SliceWorld(api=FakeMessageApi(script=lambda _prompt, before: reply if before < times else None))
    counts = run(world.work()).counts
    uncertain = 0 if reply is BUSY else 10 * times
    assert counts == _counts(asked=10 + 10 * times, uncertain=uncertain)
    assert world.told == ALL


def test_a_row_that_keeps_failing_becomes_a_leftover() -> None:
    """After some tries it has an errored line, which the join asks again in the next round."""
    world = SliceWorld(api=FakeMessageApi(script=lambda prompt, _before: BUSY if prompt == "row 3" else None))
    counts = run(world.work()).counts
    assert counts == _counts(answered=9, errored=1, asked=9 + MOST_FAILURES)
    assert world.told == [*ALL[:3], "api_error", *ALL[4:]]


def test_progress_counts_no_row_that_is_sent_again() -> None:
    """A leftover has a line, and a later round sends it: it is not done."""
    world = SliceWorld(api=FakeMessageApi(script=lambda prompt, _before: BUSY if prompt == "row 3" else None))
    run(world.work())
    assert (len(world.lines), world.leases.done(JOB, "")) == (10, 9)


def test_a_refused_row_is_asked_once() -> None:
    """The API's type and words stand in its line."""
    refused = Refused("invalid_request_error", "max_tokens: too much")
    world = SliceWorld(api=FakeMessageApi(script=lambda prompt, _before: refused if prompt == "row 0" else None))
    assert run(world.work()).counts == _counts(answered=9, errored=1)
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too much"}}
    assert world.lines[0]["result"] == {"type": "errored", "error": error}


@pytest.mark.parametrize("jam", [JAM, Throttled("overloaded_error", "busy", is_global=True)])
def test_a_storm_of_refusals_passes(jam: Throttled) -> None:
    """Everybody waits, nobody is lost, and what was refused counts as asked only."""

    def stormy(_prompt: str, _before: int) -> Any:
        return jam if asyncio.get_running_loop().time() < 30 else None

    world = SliceWorld(rows=100, api=FakeMessageApi(script=stormy))
    counts = run(world.work(window=20)).counts
    assert (counts.answered, counts.errored, counts.uncertain) == (100, 0, 0)
    assert counts.asked < 200


def test_an_endless_storm_ends_with_the_slices_time() -> None:
    """A row that is refused again and again is tried until then, by as many workers as it takes."""
    world = SliceWorld(rows=3, api=FakeMessageApi(script=lambda _prompt, _before: JAM))
    world.piece = msgspec.structs.replace(world.piece, until=int(START.timestamp()) + 2_000)

    async def three() -> list[SliceCounts]:
        return [(await world.work(seconds=end)).counts for end in (900, 1_800, 2_700)]

    first, second, third = run(three())
    assert (first.errored, second.errored, third.errored) == (0, 0, 3)
    assert third.stopped == TIME_OVER
    assert set(world.told) == {"rate_limit_error"}


def test_retry_after_is_kept_by_all() -> None:
    """After a refusal with retry-after nobody asks before its time."""
    times: list[float] = []

    def once(prompt: str, before: int) -> Any:
        times.append(asyncio.get_running_loop().time())
        return Throttled("rate_limit_error", "wait", 60.0) if prompt == "row 0" and not before else None

    world = SliceWorld(rows=50, api=FakeMessageApi(script=once))
    run(world.work(window=1))
    assert all(time >= times[0] + 60 for time in times[1:])


def test_account_trouble_halts_the_job() -> None:
    """What is open is waited for and kept; no more is asked, here or by any other worker."""
    trouble = AccountTrouble("HTTP 402: billing_error")
    world = SliceWorld(
        rows=100, api=FakeMessageApi(script=lambda prompt, _before: trouble if prompt == "row 9" else None)
    )
    answered = run(world.work(window=4))
    halt = world.ledger.halted(JOB)
    assert halt is not None
    assert (halt.error, halt.reason) == ("AccountTrouble", "HTTP 402: billing_error")
    assert answered.is_complete
    assert answered.counts.stopped == "AccountTrouble"
    assert answered.counts.left == 100 - len(world.lines) > 0
    assert len(world.lines) == len(world.api.asked) - 1


@pytest.mark.parametrize("error", ["JobCanceled", "AccountTrouble"])
def test_a_halted_job_is_asked_nothing(error: str) -> None:
    """A job halted before costs nothing; one halted meanwhile ends at the next beat, with what it has."""
    world = SliceWorld(rows=1000)

    async def halted() -> Any:
        working = asyncio.ensure_future(world.work(window=4))
        await asyncio.sleep(1)
        world.ledger.halt(JOB, Halt(error, "by its user", START))
        return await working, await world.work()

    first, second = run(halted())
    assert (first.is_complete, first.counts.stopped) == (True, error)
    assert len(world.api.asked) == len(world.lines) <= 4 * (BEAT_SECONDS + 2)
    assert (second.counts.asked, second.counts.answered) == (0, first.counts.answered)


def test_lines_are_flushed_by_number_and_by_age() -> None:
    """A fast slice makes few objects; a slow answer waits two seconds at most."""
    fast = SliceWorld(rows=1000, api=FakeMessageApi(seconds=0.01))
    run(fast.work(window=100))
    assert all(body.count(b"\n") >= FLUSH_LINES for body in list(fast.flushes.values())[:-2])
    slow = SliceWorld(rows=10, api=FakeMessageApi(seconds=10.0))
    ages: list[float] = []
    plain = slow.store.write

    def write(key: str, body: bytes, **_guard: Any) -> None:
        ages.append(asyncio.get_running_loop().time() % 10.0)
        plain(key, body)

    slow.store.write = write  # type: ignore[method-assign] # the fake misbehaves
    run(slow.work(window=1))
    assert len(slow.flushes) == 10
    assert all(age <= FLUSH_SECONDS + 0.1 for age in ages[:-1])


def test_a_slow_put_holds_up_the_asking() -> None:
    """While a flush is on its way, no more is paid for than a crash may cost: the window and one flush."""
    world = SliceWorld(rows=1000, api=FakeMessageApi(seconds=0.1))

    async def slowly(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if call == world.store.write:
            await asyncio.sleep(40)
            assert len(world.api.asked) - len(world.lines) <= 10 + FLUSH_LINES
        return await at_once(call, *args, **kwargs)

    waiting = Waiting(offload=slowly, jitter=lambda: 0.5)
    assert run(world.work(seconds=9000, window=10, waiting=waiting)).counts.answered == 1000


def test_a_store_that_fails_stops_the_asking() -> None:
    """Answers that cannot be kept are not bought; the error is told, and the lease is free for the next try."""
    world = SliceWorld(rows=1000)
    plain = world.store.write

    def broken(key: str, body: bytes, **_guard: Any) -> None:
        message = "the store is gone"
        raise ConnectionError(message)

    world.store.write = broken  # type: ignore[method-assign] # the fake misbehaves

    async def failing() -> Any:
        with pytest.raises(ConnectionError):
            await world.work(window=4)
        assert len(world.api.asked) < 50
        world.store.write = plain  # type: ignore[method-assign] # the fake misbehaves
        return await world.work()

    assert run(failing()).is_complete


def test_a_put_that_fails_once_loses_nothing() -> None:
    """The last flush takes along what the broken one held."""
    world = SliceWorld(rows=1000)
    plain, failures = world.store.write, iter([True])

    def flaky(key: str, body: bytes, **_guard: Any) -> None:
        if next(failures, False):
            raise ConnectionError
        plain(key, body)

    world.store.write = flaky  # type: ignore[method-assign] # the fake misbehaves
    answered = run(world.work(window=4))
    assert len(world.lines) == len(world.api.asked) == answered.counts.answered
    assert not answered.is_complete


def test_a_broken_ledger_stops_the_asking() -> None:
    """Without a renewed lease nobody may ask; the error is told, what is paid is kept."""
    world = SliceWorld(rows=1000)

    async def failing() -> None:
        working = asyncio.ensure_future(world.work(window=4))
        await asyncio.sleep(1)
        world.ledger.halted = None  # type: ignore[assignment,method-assign]
        with pytest.raises(TypeError):
            await working

    run(failing())
    assert len(world.lines) == len(world.api.asked) < 1000


def test_permits_that_cannot_be_drawn_end_the_asking() -> None:
    """A ledger that fails is no reason to wait for ever: the error is told, and the lease is free for the next try."""
    world = SliceWorld(rows=4)
    plain = world.permits.replace

    def broken(*_args: Any) -> None:
        message = "the ledger is gone"
        raise ConnectionError(message)

    world.permits.replace = broken  # type: ignore[assignment,method-assign]

    async def failing() -> Any:
        with pytest.raises(ConnectionError):
            await world.work()
        world.permits.replace = plain  # type: ignore[method-assign] # the fake misbehaves
        return await world.work()

    assert run(failing()).is_complete
