"""The submission protocol alone, explored by Hypothesis: attempts that overlap, die at any step, and lose answers.

What it promises, and what is asserted after each step: as long as no attempt acts after its deadline, nothing arrives
later than IN_FLIGHT after its sender's end, and the list shows what was created within LAG, with IN_FLIGHT + LAG below
SETTLE_SECONDS, there never are two Message Batches of ours for one shard and round; what is accepted is ours; nobody
else's is touched. In the end, when all is quiet, there is exactly one, and the ledger knows it.

What remains is `test_what_remains`: a Message Batch that shows later than SETTLE_SECONDS.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.answers.custom_id import CustomId
from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.batch_lane.ports import BatchCreator, RequestBody
from batchdrop.batch_lane.settle_submission import settle_submission
from batchdrop.batch_lane.submit_shard import submit_shard
from batchdrop.errors import ApiUnavailable, SubmissionUncertain
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.settings import SETTLE_SECONDS
from tests.admission_fakes import OpenDoor
from tests.faults.steps import AnswerLost, Attempt, How
from tests.faults.table import MemoryTable
from tests.project import template

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
JOB, SHARD, ROUND, REQUESTS = "job", 0, 0, 2
SUBMIT_SECONDS = float(template()["Parameters"]["SubmitTimeout"]["Default"])
IN_FLIGHT = 60.0
LAG = 120.0
TAKES = 500.0  # from a Message Batch's creation to its end: longer than settling
AT_ONCE, THE_END = "at once", "the end"  # where an attempt stands before its first call, and after its last


@dataclass
class _Batch:
    id: str
    custom_ids: list[str]
    created_at: float
    visible_at: float
    canceled: bool = False

    @property
    def is_ours(self) -> bool:
        """Tell whose it is, by what only the judge can see."""
        return self.custom_ids[0].startswith(f"{JOB}-")


class _World:
    """Time, the service, and the ledger's table; every call of an attempt stops at it first."""

    def __init__(self, lag: float = LAG) -> None:
        self.now = 0.0
        self.lag = lag
        self.batches: list[_Batch] = []
        self.on_their_way: list[tuple[float, Callable[[], object]]] = []
        self.table = MemoryTable(lambda _name, effect: effect())

    def ledger(self, attempt: Attempt | None) -> Ledger:
        """Return the product's ledger, stopping at each of its requests."""
        table = MemoryTable(attempt.call if attempt else lambda _name, effect: effect())
        table.items = self.table.items
        return DynamoLedger(table)  # type: ignore[arg-type]  # as much of a Table as it uses

    def create(self, custom_ids: list[str]) -> MessageBatch:
        """Create a Message Batch."""
        batch = _Batch(f"msgbatch_{len(self.batches)}", custom_ids, self.now, self.now + self.lag)
        self.batches.append(batch)
        return self.view(batch)

    def view(self, batch: _Batch) -> MessageBatch:
        """Return a Message Batch as the API shows it."""
        ended = batch.canceled or self.now >= batch.created_at + TAKES
        count = len(batch.custom_ids)
        return MessageBatch(
            id=batch.id,
            processing_status="ended" if ended else "in_progress",
            request_counts=RequestCounts(succeeded=count) if ended else RequestCounts(processing=count),
            created_at=(START + timedelta(seconds=batch.created_at)).isoformat(),
            results_url="somewhere" if ended else None,
        )

    def ours(self) -> list[_Batch]:
        """Return the Message Batches of ours that will be billed."""
        return [batch for batch in self.batches if batch.is_ours and not batch.canceled]

    def accepted(self) -> str | None:
        """Return the Message Batch that the ledger knows."""
        known = self.ledger(None).submission(JOB, SHARD, ROUND)
        return known.batch_id if known else None


class _Api:
    """The service, as one attempt reaches it."""

    workspace = key_print = ""

    def __init__(self, world: _World, attempt: Attempt | None) -> None:
        self._world = world
        self._call = attempt.call if attempt else lambda _name, effect: effect()

    def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
        """Create. Raises SubmissionUncertain where the answer is lost."""
        ids = [str(CustomId(JOB, SHARD, index)) for index in range(REQUESTS)]
        try:
            created: MessageBatch = self._call("create", lambda: self._world.create(ids))
        except AnswerLost as lost:
            raise SubmissionUncertain(str(lost)) from lost
        return created

    def newest_first(self) -> Iterator[MessageBatch]:
        """List what is visible. Raises ApiUnavailable where the answer is lost."""
        yield from self._read("list", self._listed)

    def clock_offset(self, now: datetime) -> timedelta | None:
        """Return nothing: all clocks are one."""
        del now
        return timedelta()

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield result lines. Raises ApiUnavailable where the answer is lost."""
        found = next(one for one in self._world.batches if one.id == batch.id)
        for custom_id in self._read("results", lambda: found.custom_ids):
            yield msgspec.json.encode({"custom_id": custom_id}) + b"\n"

    def cancel(self, batch_id: str) -> None:
        """Cancel."""
        found = next(one for one in self._world.batches if one.id == batch_id)
        self._read("cancel", lambda: setattr(found, "canceled", True))

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Retrieve is not asked for by the protocol."""
        raise NotImplementedError

    def _read(self, name: str, effect: Callable[[], Any]) -> Any:
        try:
            return self._call(name, effect)
        except AnswerLost as lost:
            raise ApiUnavailable(str(lost)) from lost

    def _listed(self) -> list[MessageBatch]:
        visible = [batch for batch in reversed(self._world.batches) if batch.visible_at <= self._world.now]
        return [self._world.view(one) for one in visible]


class _Clock:
    def __init__(self, world: _World, deadline: float) -> None:
        self._world = world
        self._deadline = deadline

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(seconds=self._world.now)

    def remaining(self) -> float:
        """Return the seconds until the attempt's deadline."""
        return self._deadline - self._world.now


class _Bucket:
    """A bucket that holds the shard's create body, no answers, and no manifest that would name betas."""

    def read(self, key: str) -> bytes:
        """Raise ObjectMissing."""
        raise ObjectMissing(key)

    def size(self, key: str) -> int:
        """Return the bytes of the create body."""
        assert key == JobKeys(JOB).requests(SHARD, ROUND)
        return 1

    def exists(self, key: str) -> bool:
        """Tell that there are no answers yet."""
        return False


def _submit(world: _World, attempt: Attempt | None, deadline: float) -> Any:
    bucket: ObjectStore = _Bucket()  # type: ignore[assignment]  # as much of a bucket as it uses
    api: BatchCreator = _Api(world, attempt)
    ledger, clock = world.ledger(attempt), _Clock(world, deadline)
    parts: Any = {"store": bucket, "ledger": ledger, "api": api, "clock": clock}
    state = ShardState(job_id=JOB, shard=SHARD, shards=1, requests=REQUESTS, expires_at=0, round=ROUND)
    return submit_shard(state, admission=OpenDoor(), **parts)


def _settle(world: _World, attempt: Attempt | None, deadline: float) -> Any:
    return settle_submission(
        JOB, SHARD, ROUND,
        ledger=world.ledger(attempt),
        api=_Api(world, attempt),
        clock=_Clock(world, deadline),
        visible_after=timedelta(seconds=SETTLE_SECONDS),
        is_last=False,
    )  # fmt: skip


def _finish(world: _World, rounds: int = 40) -> None:
    """Submit and settle in turns, as the state machine does, when nothing goes wrong any more."""
    for _ in range(rounds):
        try:
            _submit(world, None, world.now + SUBMIT_SECONDS)
        except SubmissionUncertain:
            world.now += 60
            _settle(world, None, world.now + SUBMIT_SECONDS)
        else:
            return
    pytest.fail("it never settles")


class Protocol(RuleBasedStateMachine):
    """Two attempts at a time, whatever they do, and a world that loses answers."""

    def __init__(self) -> None:
        super().__init__()
        self.world = _World()
        self.attempts: list[Attempt] = []

    def _begin(self, kind: Callable[[_World, Attempt | None, float], Any], up_to: str) -> None:
        deadline = self.world.now + SUBMIT_SECONDS
        attempt = Attempt(kind.__name__, deadline, lambda one: kind(self.world, one, deadline))
        self.attempts.append(attempt)
        self._go_on(attempt, up_to)

    def _go_on(self, attempt: Attempt, up_to: str) -> None:
        while not attempt.is_over and up_to not in {attempt.at, AT_ONCE}:
            attempt.step()

    @property
    def running(self) -> list[Attempt]:
        """Return the attempts that have not ended."""
        return [attempt for attempt in self.attempts if not attempt.is_over]

    @precondition(lambda self: len(self.running) < 3)
    @rule(up_to=st.sampled_from([AT_ONCE, "create", "create", "transact_write_items", THE_END]))
    def submit(self, up_to: str) -> None:
        """Start an attempt to submit, and let it go on until it stands before such a call."""
        self._begin(_submit, up_to)

    @precondition(lambda self: len(self.running) < 3)
    @rule(up_to=st.sampled_from([AT_ONCE, "update_item", "transact_write_items", THE_END, THE_END]))
    def settle(self, up_to: str) -> None:
        """Start an attempt to settle, and let it go on until it stands before such a call."""
        self._begin(_settle, up_to)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["go", "go", "go", "go", "die before", "die after", "lose the answer"]))
    def step(self, data: st.DataObject, how: How) -> None:
        """Let one attempt make its next call; only the API's answers can be lost, the table's are asked for again."""
        attempt = data.draw(st.sampled_from(self.running))
        is_api = attempt.at in {"create", "list", "results", "cancel"}
        attempt.step("go" if how == "lose the answer" and not is_api else how)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Let one attempt go on to its end, undisturbed."""
        self._go_on(data.draw(st.sampled_from(self.running)), THE_END)

    @precondition(lambda self: any(attempt.at == "create" for attempt in self.running))
    @rule(data=st.data(), late=st.floats(0, IN_FLIGHT))
    def die_while_the_create_is_on_its_way(self, data: st.DataObject, late: float) -> None:
        """Kill an attempt whose create arrives all the same, a little later."""
        attempt = data.draw(st.sampled_from([one for one in self.running if one.at == "create"]))
        ids = [str(CustomId(JOB, SHARD, index)) for index in range(REQUESTS)]
        self.world.on_their_way.append((self.world.now + late, lambda: self.world.create(ids)))
        attempt.step("die before")

    @rule()
    def somebody_else_creates(self) -> None:
        """Let another client create as many requests."""
        self.world.create([f"theirs-{number}" for number in range(REQUESTS)])

    @rule(seconds=st.sampled_from([1.0, 20.0, 60.0, 150.0, 300.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        """Let time pass: what is on its way arrives, and attempts die at their deadlines."""
        until = self.world.now + seconds
        arrivals = [(at, effect, None) for at, effect in self.world.on_their_way if at <= until]
        ends = [(attempt.deadline, None, attempt) for attempt in self.running if attempt.deadline <= until]
        for at, effect, attempt in sorted([*arrivals, *ends], key=lambda one: one[0]):
            self.world.now = max(self.world.now, at)
            if effect:
                effect()
            if attempt:
                attempt.step("die before")
        self.world.on_their_way = [one for one in self.world.on_their_way if one[0] > until]
        self.world.now = until

    @invariant()
    def there_is_one_at_most(self) -> None:
        """Never two Message Batches of ours that are billed."""
        assert len(self.world.ours()) <= 1

    @invariant()
    def only_ours_are_accepted_and_canceled(self) -> None:
        """What is known is ours, and nobody else's is touched."""
        accepted = self.world.accepted()
        assert accepted is None or accepted in [batch.id for batch in self.world.batches if batch.is_ours]
        assert not [batch for batch in self.world.batches if batch.canceled and not batch.is_ours]

    def teardown(self) -> None:
        """When all is quiet, there is exactly one, and the ledger knows it."""
        for attempt in self.running:
            attempt.step("die before")
        for at, effect in sorted(self.world.on_their_way, key=lambda one: one[0]):
            self.world.now = max(self.world.now, at)
            effect()
        _finish(self.world)
        assert [batch.id for batch in self.world.ours()] == [self.world.accepted()]


def test_there_never_are_two() -> None:
    """Hypothesis finds no order of steps, deaths and losses that makes two Message Batches of one shard."""
    profile = settings(max_examples=500, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Protocol, settings=profile)


def test_what_was_on_its_way_at_the_deadline_is_found() -> None:
    """Settling counts from the attempt's deadline: until then it may send."""
    world = _World()
    attempt = Attempt("submit", SUBMIT_SECONDS, lambda one: _submit(world, one, SUBMIT_SECONDS))
    while attempt.at != "create":
        attempt.step()
    world.now = SUBMIT_SECONDS
    attempt.step("die after")
    world.now = SUBMIT_SECONDS + LAG - 1
    assert _settle(world, None, world.now + SUBMIT_SECONDS).verdict == "open"
    _finish(world)
    assert [batch.id for batch in world.ours()] == [world.accepted()]


def test_what_remains() -> None:
    """A Message Batch that is listed later than SETTLE_SECONDS after its attempt is not found, and paid twice."""
    world = _World(lag=SETTLE_SECONDS * 2)
    attempt = Attempt("submit", SUBMIT_SECONDS, lambda one: _submit(world, one, SUBMIT_SECONDS))
    while attempt.at != "create":
        attempt.step()
    attempt.step("lose the answer")
    while not attempt.is_over:
        attempt.step()
    assert isinstance(attempt.error, SubmissionUncertain)
    _finish(world)
    assert len(world.ours()) == 2


def test_a_late_attempt_cancels_what_it_created() -> None:
    """An attempt that lives on after its deadline, against all rules, gives way: one of the two is canceled at once."""
    world = _World()
    late = Attempt("submit", SUBMIT_SECONDS, lambda one: _submit(world, one, SUBMIT_SECONDS))
    while late.at != "create":
        late.step()
    world.now = SUBMIT_SECONDS + SETTLE_SECONDS + 1
    _finish(world)
    while not late.is_over:
        late.step()
    assert [batch.id for batch in world.ours()] == [world.accepted()]
