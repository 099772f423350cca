"""One message of the live lane's queue: what its task is told, and when the message comes again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from batchdrop.errors import AccountTrouble, AwsUnavailable, SliceBusy
from batchdrop.live_lane.answer_requests import BEAT_SECONDS
from batchdrop.live_lane.lease import MOST_CRASHES, MOST_TURNS, Lease
from batchdrop.live_lane.ports import MessageApi
from batchdrop.live_lane.serve_slice import LiveParts, Served, serve_slice
from batchdrop.live_lane.slice import SliceTask
from batchdrop.live_lane.slice_sender import OPENING_RESERVE
from tests.fakes import START
from tests.live_fakes import FakeQueue, FakeTaskTokens
from tests.live_lane.slices import JOB, KEYS, WAITING, SliceWorld
from tests.virtual_time import LoopClock, run

TOKEN = "token"


@dataclass
class Desk:
    """A slice's world with its queue and its task."""

    world: SliceWorld = field(default_factory=SliceWorld)
    tokens: FakeTaskTokens = field(default_factory=FakeTaskTokens)
    queue: FakeQueue = field(default_factory=FakeQueue)
    api: Callable[[], MessageApi] | None = None
    shown: list[tuple[str, int]] = field(default_factory=list)

    @property
    def body(self) -> str:
        """The message."""
        return msgspec.json.encode(SliceTask(TOKEN, self.world.piece)).decode()

    async def serve(self, *, seconds: float = 900.0, window: int = 4) -> Served:
        """Serve the message in an invocation of so many seconds from the loop's start on."""
        world = self.world
        parts = LiveParts(
            store=world.store,
            ledger=world.ledger,
            leases=world.leases,
            permits=world.permits,
            tokens=self.tokens,
            queue=self.queue,
            clock=LoopClock(seconds),
            api=self.api or (lambda: world.api),
            window=window,
            share=1.0,
            show=lambda job_id: self.shown.append((job_id, world.leases.done(JOB, ""))),
            waiting=WAITING,
        )
        return await serve_slice(self.body, parts)


def test_a_finished_slice_ends_its_task() -> None:
    """The task learns the counts, a few dozen bytes; nothing goes back into the queue."""
    desk = Desk()
    assert run(desk.serve()).ending == "done"
    counts = {"requests": 10, "answered": 10, "errored": 0, "left": 0, "asked": 10, "uncertain": 0, "handed_back": 0}
    assert desk.tokens.succeeded == {TOKEN: {**counts, "stopped": "", "throttled": 0}}
    assert (desk.tokens.failed, desk.queue.sent) == ({}, [])


def test_an_unfinished_slice_goes_back_into_the_queue() -> None:
    """The same body, with the same token; whoever takes it next ends the task with the counts of the whole slice."""
    desk = Desk(SliceWorld(rows=400))

    async def both() -> list[str]:
        first = await desk.serve(seconds=OPENING_RESERVE + 20)
        assert desk.queue.sent == [desk.body]
        assert not desk.tokens.succeeded
        return [first.ending, (await desk.serve(seconds=5000)).ending]

    assert run(both()) == ["handed back", "done"]
    told = desk.tokens.succeeded[TOKEN]
    assert (told["answered"], told["left"], told["handed_back"]) == (400, 0, 1)
    assert len(desk.world.api.asked) == 400


def test_a_second_delivery_of_a_finished_slice_is_deleted() -> None:
    """Its task has ended; that is no error, and costs nothing."""
    desk = Desk()

    async def twice() -> list[str]:
        return [(await desk.serve()).ending, (await desk.serve()).ending]

    assert run(twice()) == ["done", "gone"]
    assert len(desk.world.api.asked) == 10


def test_a_second_delivery_meanwhile_comes_again() -> None:
    """While another worker asks, the message is not deleted: that worker may die yet."""
    desk = Desk()

    async def both() -> Any:
        return await asyncio.gather(desk.serve(), desk.serve(), return_exceptions=True)

    first, second = run(both())
    assert first.ending == "done"
    assert isinstance(second, SliceBusy)
    assert list(desk.tokens.succeeded) == [TOKEN]


def test_a_task_is_told_that_its_slice_is_alive() -> None:
    """A heartbeat every few seconds, as long as the worker works."""
    desk = Desk(SliceWorld(rows=200))
    run(desk.serve())
    assert 3 <= len(desk.tokens.beats) <= 200 / 4 / BEAT_SECONDS + 2


def test_who_watches_is_told_of_news() -> None:
    """Every few seconds, when the lease says how far the slice is; a slice that is done before has no news."""
    desk = Desk(SliceWorld(rows=200))
    run(desk.serve())
    told = [done for job_id, done in desk.shown if job_id == JOB]
    assert len(told) == len(desk.tokens.beats) - 1 >= 2
    assert 0 < told[0] < told[1] < 200
    assert desk.world.leases.done(JOB, desk.world.piece.name) == 200
    small = Desk()
    run(small.serve())
    assert small.shown == []


class _Ending(FakeTaskTokens):
    """A task that ends right after its first heartbeat."""

    def heartbeat(self, token: str) -> None:
        super().heartbeat(token)
        self.gone.add(token)


def test_a_message_that_comes_when_its_task_has_ended_asks_nothing() -> None:
    """SQS may deliver it once more when a later round has answered its rows, which no flush of its own round tells."""
    desk = Desk()
    desk.tokens.gone.add(TOKEN)
    assert run(desk.serve()).ending == "gone"
    assert desk.world.api.asked == []


def test_a_task_that_timed_out_ends_its_worker() -> None:
    """The heartbeat finds out; what is paid is kept; the message is deleted, for nobody waits."""
    desk = Desk(SliceWorld(rows=1000), _Ending())
    assert run(desk.serve()).ending == "gone"
    assert 0 < len(desk.world.lines) == len(desk.world.api.asked) < 1000
    assert desk.queue.sent == []


def test_a_task_that_timed_out_at_the_end_is_no_error() -> None:
    """The answers are flushed; there is nobody to tell."""
    desk = Desk(tokens=_Ending())
    assert run(desk.serve()).ending == "gone"
    assert len(desk.world.lines) == 10


def test_a_slice_without_create_body_fails_its_task() -> None:
    """Asking again would end the same way, so the state machine learns it at once, by name."""
    desk = Desk()
    del desk.world.store.objects[KEYS.requests(0)]
    served = run(desk.serve())
    assert served.ending == "failed"
    assert desk.tokens.failed[TOKEN][0] == "ObjectMissing"


def test_a_function_without_time_fails_its_task() -> None:
    """A Timeout that leaves no time to ask would hand back for ever."""
    desk = Desk()
    assert run(desk.serve(seconds=OPENING_RESERVE - 1)).ending == "failed"
    error, cause = desk.tokens.failed[TOKEN]
    assert error == "InvariantBroken"
    assert "longer Timeout" in cause
    assert desk.queue.sent == []


def test_without_a_key_the_job_is_halted() -> None:
    """No key is account trouble: the job stops asking, and the task learns why."""

    def keyless() -> MessageApi:
        message = "there is no API key yet"
        raise AccountTrouble(message)

    desk = Desk(api=keyless)
    assert run(desk.serve()).ending == "failed"
    assert desk.tokens.failed[TOKEN] == ("AccountTrouble", "there is no API key yet")
    halt = desk.world.ledger.halted(JOB)
    assert halt is not None
    assert halt.reason == "there is no API key yet"


@pytest.mark.parametrize("fault", [ConnectionError("reset"), AwsUnavailable("SlowDown")])
def test_a_broken_store_leaves_the_message(fault: Exception) -> None:
    """What may pass by itself is no failure of the task: the message comes again."""
    desk = Desk()

    def broken(_key: str) -> None:
        raise fault

    desk.world.store.on_read = broken
    with pytest.raises(type(fault)):
        run(desk.serve())
    assert desk.tokens.failed == {}


def test_a_key_out_of_reach_leaves_the_message() -> None:
    """Secrets Manager does not answer: nothing was sent, and the task still waits for its slice."""
    desk = Desk()

    def unavailable() -> MessageApi:
        raise AwsUnavailable

    desk.api = unavailable
    with pytest.raises(AwsUnavailable):
        run(desk.serve())
    assert desk.tokens.failed == {}


def test_a_message_that_is_none_is_not_understood() -> None:
    """It ends up in the dead-letter queue, where somebody sees it."""
    with pytest.raises(msgspec.DecodeError):
        run(serve_slice('{"slice": 1}', _nothing()))


def _nothing() -> LiveParts:
    nothing: Any = None
    return LiveParts(*([nothing] * 10))


def test_a_slice_that_kills_its_workers_is_given_up() -> None:
    """After five of them: its open rows are left to the next round, and the task says why."""
    desk = Desk()
    held = START
    for number in range(MOST_CRASHES + 1):
        desk.world.leases.take(JOB, desk.world.piece.name, f"killed {number}", now=held, until=held)
    assert run(desk.serve()).ending == "failed"
    error, cause = desk.tokens.failed[TOKEN]
    assert error == "SliceGivenUp"
    assert "had 6 workers, of which 6 ended before they could release it" in cause
    assert desk.world.api.asked == []


def test_hand_backs_have_a_bound_of_their_own() -> None:
    """Lambda would stop the loop after 16 turns; we allow it, and stop after so many workers."""
    lease = Lease(JOB, "slice", "a", START, MOST_TURNS)
    assert not lease.is_exhausted
    assert replace(lease, turn=MOST_TURNS + 1).is_exhausted
