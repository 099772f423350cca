"""The world of one run: every port of the product, on virtual time and in the schedule's weather."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.aws.dynamodb_approvals import DynamoApprovals
from batchdrop.adapters.aws.dynamodb_progress import DynamoProgressBoard
from batchdrop.adapters.aws.dynamodb_states import DynamoSharedStates
from batchdrop.adapters.aws.stepfunctions import StepFunctionsTaskTokens
from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.admission import budget, waves
from batchdrop.admission.ports import SharedStates
from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.answer_store.ports import AnswerStore
from batchdrop.batch_lane.ports import BatchCreator, BatchReader
from batchdrop.finish import pack_plan
from batchdrop.finish.ports import PageDrawer, Pages
from batchdrop.job import shard_state
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.polling import MOST_LOOKS
from batchdrop.job.ports import Approvals, Formats, JobEvents, JobStarter, Ledger, ProgressBoard, TaskTokens
from batchdrop.ports import Clock, ObjectStore
from batchdrop.report.commands import Commands
from batchdrop.settings import SETTLE_SECONDS, Settings
from tests.callers import CREDENTIALS
from tests.event_fakes import FakeJobEvents
from tests.faults.api import OTHER_KEY, START, Claude
from tests.faults.bells import Bells
from tests.faults.engine import Engine
from tests.faults.execution import TaskError
from tests.faults.lambdas import approval_seconds, handlers, timeouts
from tests.faults.schedule import UNSURE_RATES, Schedule, Stray
from tests.faults.scheduler import Actor, Scheduler
from tests.faults.store import MemoryStore
from tests.faults.storm import WRITE_IN_FLIGHT, Crash, Invocation, Storm
from tests.faults.table import MemoryTable, canceled, throttled

FEW_LOOKS = 40  # three hours: longer than the Message Batches of a job whose API lies take
_READS = {"get_item", "query"}


@dataclass
class Run:
    """One call of a function; afterwards, what came of it."""

    actor: Actor
    result: Any = None
    failure: TaskError | None = None


class World:
    """Ports, functions and executions of one run. It is its own bootstrap for the handlers."""

    def __init__(self, schedule: Schedule, claude: Claude, log: Callable[[str], None] | None = None) -> None:
        self.schedule = schedule
        self.claude = claude
        self.trace: list[str] = []
        self._log = log
        self.scheduler = Scheduler()
        self.rng = random.Random(schedule.seed * 7919 + 1)
        self.storm = Storm(self.scheduler, self.rng, schedule.rates, self.log)
        self.store: ObjectStore = MemoryStore(self.storm)
        self.table = MemoryTable(self._table_call)
        self.own_ledger: Ledger = DynamoLedger(self.table)  # type: ignore[arg-type]  # as much of a Table as it uses
        self.bells = Bells(self.scheduler, self.storm)
        self.engine = Engine(self.scheduler, self, self.rng, concurrency=schedule.concurrency, log=self.log)
        self._handlers = handlers(self)
        self._calls = self._running = 0
        self.keys_put_back: int | None = None  # the user tries one key after the other, so that each workspace is seen
        self._strays = {(stray.function, stray.number): stray for stray in schedule.strays}
        self._called: Counter[str] = Counter()
        self.kept: frozenset[str] = frozenset()  # the keys there were when the last closing began
        claude.begin(
            self.scheduler,
            self.storm,
            {
                "batch_seconds": schedule.batch_seconds,
                "cancel_seconds": schedule.cancel_seconds,
                "seed": schedule.seed,
                "workspaces": {OTHER_KEY: "wrkspc_other"} if schedule.other_workspace else {},
                "most_listed": schedule.most_listed,
                "unsure_rates": UNSURE_RATES if schedule.escalates else {},
                **({"provider": "aws", "aws_credentials": [CREDENTIALS]} if schedule.on_aws else {}),
                **dict(schedule.emulator),
            },
        )

    @property
    def objects(self) -> dict[str, bytes]:
        """Return the bucket's objects."""
        assert isinstance(self.store, MemoryStore)
        return self.store.objects

    def log(self, text: str) -> None:
        """Write down what happens."""
        line = f"{self.scheduler.now:10.2f}  {text}"
        self.trace.append(line)
        if self._log:
            self._log(line)

    # --- the handlers' bootstrap

    def configuration(self) -> Settings:
        """Return the functions' settings."""
        return Settings(
            bucket="bucket",
            ledger_table="ledger",
            state_machine_arn="machine",
            api_key_secret_arn="secret",
            anthropic_base_url=None,
            shard_rows=self.schedule.shard_rows,
            shard_concurrency=self.schedule.concurrency,
            split_time_reserve=self.schedule.split_reserve,
            settle_seconds=SETTLE_SECONDS,
            live_rows=0,
            queue_requests=self.schedule.queue_requests,
        )

    def clock(self, _context: object) -> Clock:
        """Return the clock of the present invocation."""
        invocation = self.storm.invocation()
        assert invocation is not None
        return WorldClock(self.scheduler, invocation)

    def object_store(self) -> ObjectStore:
        """Return the bucket."""
        return self.store

    def answer_store(self) -> AnswerStore:
        """Return the product's own answer store, in the bucket."""
        return BucketAnswerStore(self.store)

    def ledger(self) -> Ledger:
        """Return the product's own ledger, on a table in memory."""
        return self.own_ledger

    def shared_states(self) -> SharedStates:
        """Return the product's own shared states, on the same table."""
        return DynamoSharedStates(self.table, pause=self.scheduler.sleep)  # type: ignore[arg-type]  # likewise

    def batch_creator(self) -> BatchCreator:
        """Return the product's own adapter, on the emulator, with the key that is in the secret now, or a role."""
        if self.schedule.on_aws:
            return self.claude.of_provider()
        swapped = sum(at <= self.scheduler.now for at in self.schedule.key_swaps)
        return self.claude.apis[(swapped if self.keys_put_back is None else self.keys_put_back) % 2]

    def batch_reader(self) -> BatchReader:
        """Return the same: what it creates with, it looks with."""
        return self.batch_creator()

    def approvals(self) -> Approvals:
        """Return the product's own approvals, on the same table."""
        return DynamoApprovals(self.table)  # type: ignore[arg-type]  # as much of a Table as it uses

    def task_tokens(self) -> TaskTokens:
        """Return the product's own adapter, on tasks that wait here."""
        return StepFunctionsTaskTokens(self.bells)  # type: ignore[arg-type]  # as much of a client as it uses

    def job_events(self) -> JobEvents:
        """Return what tells of jobs' changes; nobody listens here."""
        return FakeJobEvents()

    def job_starter(self) -> JobStarter:
        """Return what starts executions."""
        return self

    def formats(self) -> Formats:
        """Return the product's own formats."""
        return FileFormats()

    def commands(self) -> Commands:
        """Return how a user writes commands."""
        return Commands()

    def pages(self) -> Pages:
        """Return the product's own pages."""
        return HtmlPages()

    def progress_board(self) -> ProgressBoard:
        """Return the product's own board, on the same table."""
        return DynamoProgressBoard(self.table)  # type: ignore[arg-type]  # as much of a Table as it uses

    def page_drawer(self) -> PageDrawer:
        """Return who draws pages for the live lane's workers: nobody, which is allowed."""
        return _Nobody()

    def start(self, upload: UploadRecord) -> bool:
        """Start a job's execution; False if there is one of that name."""
        given = json.loads(msgspec.json.encode(upload))
        return self.storm.call(
            "start execution", lambda: self.engine.start(upload.execution_name, given), in_flight=WRITE_IN_FLIGHT
        )

    # --- what the state machine calls

    def invoke(self, function: str, payload: Any, *, timeout: float) -> Any:
        """Call a function and wait for its answer, or for the error that Step Functions hears. Raises TaskError."""
        rates = self.storm.rates
        if self.is_throttled():
            raise TaskError(error="Lambda.TooManyRequestsException", cause="Rate Exceeded")
        if self.storm.strikes(rates.lost_contact / 4, "function not started"):
            raise TaskError(error="Lambda.TooManyRequestsException", cause="Rate exceeded")
        if function == "close_job" and "closed" not in payload:
            self.kept = frozenset(self.objects)
        stray = self._strays.get((function, self._called[function]))
        self._called[function] += 1
        run = self.call_function(function, payload, stray=stray)
        if stray is not None:
            self.scheduler.sleep(stray.seconds % 5)
            raise TaskError(error="Lambda.Unknown", cause="contact lost")
        if self.storm.strikes(
            rates.twin, "function run twice"
        ):  # its caller repeats a call whose answer it does not get
            run = self.call_function(function, payload, delay=self.rng.uniform(0, 3))
        if self.storm.strikes(rates.lost_contact, "retried while it runs"):
            run.actor.done.wait(self.scheduler.now + self.rng.choice((0.1, 1.0, 3.0)) * self.rng.random())
            if not run.actor.done.is_set:
                self.log(f"{run.actor.name}: contact lost")
                raise TaskError(self.rng.choice(("Lambda.SdkClientException", "Lambda.Unknown")), "contact lost")
        if not run.actor.done.wait(self.scheduler.now + timeout):
            raise TaskError(error="States.Timeout", cause="")
        if run.failure:
            raise run.failure
        return run.result

    def is_throttled(self) -> bool:
        """Return whether the account has no function free; count it."""
        account = self.schedule.account
        if account is None or account.free(self.scheduler.now, self._running):
            return False
        self.storm.counts["throttled"] += 1
        return True

    def invoke_and_wait(self, function: str, payload: Any, token: str) -> Any:
        """Call a function, then wait until the token's bell is rung. Raises TaskError."""
        self.bells.hang(token)
        try:
            self.invoke(function, payload, timeout=timeouts()[function])
            if not self.bells.wait(token, approval_seconds()):
                self.storm.counts["approval came too late, or not"] += 1
                raise TaskError(error="States.Timeout", cause="")
        finally:
            self.bells.take_down(token)
        return {}

    def call_function(self, function: str, payload: Any, *, delay: float = 0.0, stray: Stray | None = None) -> Run:
        """Let a function run; its time counts from its start."""
        self._calls += 1
        name = f"{function}#{self._calls}"

        def act() -> None:
            invocation = Invocation(name, self.scheduler.now + timeouts()[function], self._skew())
            invocation.stray = stray
            run.actor.context = invocation
            self.log(f"{name} {_shown(payload)}")
            self._running += 1
            try:
                run.result = json.loads(json.dumps(self._handlers[function](payload, None)))
            except Crash as crash:
                run.failure = TaskError(crash.error, json.dumps({"errorType": crash.error, "errorMessage": "gone"}))
            except Exception as error:  # noqa: BLE001 - as the runtime does
                kind = type(error).__name__
                cause = {"errorMessage": str(error), "errorType": kind, "stackTrace": []}
                run.failure = TaskError(kind, json.dumps(cause))
            finally:
                self._running -= 1
            self.log(f"{name} -> {run.failure or _shown(run.result)}")
            invocation.is_dead = True

        run = Run(self.scheduler.start(name, act, delay=delay + self.rng.uniform(0.01, 0.1)))
        return run

    def put_item(self, item: dict[str, Any]) -> None:
        """Write what the state machine writes itself. Raises TaskError."""
        self.scheduler.sleep(0.05)
        if self.storm.strikes(self.storm.rates.throttle, "DynamoDB throttled"):
            raise TaskError(error="DynamoDB.ThrottlingException", cause="Throttled")
        self.table.items[item["job"], item["fact"]] = item

    def read_items(self, key: str) -> list[Any]:
        """Read the Map's items. Raises TaskError."""
        if key not in self.objects:
            raise TaskError(error="States.ItemReaderFailed", cause=f"no object at {key}")
        items: list[Any] = json.loads(self.objects[key])
        return items

    def send_and_wait(self, body: str, token: str, *, heartbeat: float, timeout: float) -> Any:
        """Refuse: LiveWorld has a live lane."""
        raise AssertionError(f"no shard goes live in this world: {body}")

    @contextmanager
    def sizes(self) -> Iterator[None]:
        """Change the product's sizes, as long as the run lasts: how often a lost create is looked for, and first waves.

        Three answers show how long the others are, so that a dozen rows go in several waves.
        """
        looks = FEW_LOOKS if self.schedule.is_deceived else MOST_LOOKS
        with (
            patch.object(shard_state, "MOST_LOOKS", looks),
            patch.object(waves, "LEAST_SEEN", 2),
            patch.object(waves, "FIRST_ANSWERS", 3),
            patch.object(budget, "FIRST_ANSWERS", 3),
            patch.object(pack_plan, "FEWEST", 1),
            patch.object(pack_plan, "LEAST_MEASURED", 1),
        ):
            yield

    def time(self) -> datetime:
        """Return the time on our own clocks."""
        return START + timedelta(seconds=self.scheduler.now + self.schedule.skew)

    def _skew(self) -> float:
        return self.schedule.skew + self.rng.uniform(-0.5, 0.5)

    def _table_call(self, name: str, effect: Callable[[], Any]) -> Any:
        if self.storm.invocation() is None:  # the user's own command
            return effect()

        def unless_throttled() -> Any:
            if self.storm.strikes(self.storm.rates.throttle, "DynamoDB throttled"):
                raise canceled(["TransactionConflict", "None"]) if name.startswith("transact") else throttled()
            return effect()

        return self.storm.call(name, unless_throttled, in_flight=0.0 if name in _READS else WRITE_IN_FLIGHT)


class WorldClock:
    """Clock of one invocation."""

    def __init__(self, scheduler: Scheduler, invocation: Invocation) -> None:
        self._scheduler = scheduler
        self._invocation = invocation

    def now(self) -> datetime:
        """Return the time, as this invocation's host has it."""
        return START + timedelta(seconds=self._scheduler.now + self._invocation.skew)

    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return self._invocation.deadline - self._scheduler.now


class _Nobody:
    """A PageDrawer that never comes."""

    def request(self, job_id: str, at: datetime) -> None:
        """Do nothing."""


def _shown(payload: Any) -> str:
    if not isinstance(payload, dict):
        return str(payload)
    names = ("shard", "round", "batch_id", "settled", "ended", "leftovers", "finished", "status", "redrives")
    return " ".join(f"{name}={payload[name]}" for name in names if payload.get(name) not in (None, ""))
