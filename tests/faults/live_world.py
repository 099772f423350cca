"""The world of a run with the live lane: its queue, its workers, the tasks that wait for them, and the Messages API."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType

from batchdrop.adapters.aws.dynamodb_live import DynamoLeases, DynamoPermits
from batchdrop.adapters.aws.sqs import SqsQueue
from batchdrop.adapters.aws.stepfunctions import StepFunctionsTaskTokens
from batchdrop.job.ports import TaskTokens
from batchdrop.live_lane import answer_flushes, answer_requests, plan_slices
from batchdrop.live_lane.ports import Leases, MessageApi, Permits, Queue
from batchdrop.settings import Settings
from tests.faults.actor_loop import ActorLoop
from tests.faults.api import Claude
from tests.faults.execution import TaskError
from tests.faults.lambdas import Handler, handler_of
from tests.faults.live_journal import Flush, Journal
from tests.faults.live_schedule import WORKER
from tests.faults.message_line import MessageLine
from tests.faults.schedule import Schedule
from tests.faults.slice_queue import Message, SliceQueue, WaitingTasks
from tests.faults.store import MemoryStore
from tests.faults.storm import Crash, Storm
from tests.faults.world import World

_FLUSH = re.compile(r"/answers/(\d+)\.r(\d+)\.live/\d+-(\w+)-\d+\.jsonl$")
_ROW = re.compile(r"thing number (\d+)")
_FLUSHES = re.compile(r"/answers/(\d+)\.r(\d+)\.live/(\d+-)?$")


class LiveWorld(World):
    """A world in which shards may go live."""

    def __init__(self, schedule: Schedule, claude: Claude, log: Callable[[str], None] | None = None) -> None:
        super().__init__(schedule, claude, log)
        assert schedule.live is not None
        self._live = schedule.live
        claude.state.change({"messages_rpm": self._live.requests_per_minute})
        self.journal = Journal()
        self.store = JournalStore(self.storm, self.journal, schedule)
        self.tasks = WaitingTasks(self.scheduler, self.storm)
        self.queue = SliceQueue(self.scheduler, self.storm, self._deliver, workers=self._live.workers)
        self.journal.stopped_loops = self.queue.stopped_loops
        self._line = MessageLine(self.scheduler, self.storm, claude, self.journal, latency=self._live.latency)
        self._idle: list[_Worker] = []
        self._handlers[WORKER] = self._work

    def configuration(self) -> Settings:
        """Return the functions' settings."""
        most = len(self.schedule.rows) // 2 if self.schedule.pack else len(self.schedule.rows)
        live_rows = most if self._live.leftovers_live else 0
        return replace(super().configuration(), live_rows=live_rows, live_window=self._live.window, live_share=1.0)

    @contextmanager
    def sizes(self) -> Iterator[None]:
        """Make the lane's constants small, and the names of its attempts those of the seed."""
        names = random.Random(self.schedule.seed)
        with (
            patch.object(answer_flushes, "FLUSH_LINES", self._live.flush_lines),
            patch.object(plan_slices, "SLICE_REQUESTS", self._live.slice_requests),
            patch.object(answer_requests, "uuid4", lambda: UUID(int=names.getrandbits(128))),
        ):
            yield

    def leases(self) -> Leases:
        """Return the product's own leases."""
        return DynamoLeases(self.table)  # type: ignore[arg-type]  # as much of a Table as it uses

    def permits(self) -> Permits:
        """Return the product's own permits."""
        return DynamoPermits(self.table)  # type: ignore[arg-type]  # likewise

    def live_queue(self) -> Queue:
        """Return the product's own adapter on the queue."""
        return SqsQueue(self.queue, "queue")

    def task_tokens(self) -> TaskTokens:
        """Return the product's own adapter on the waiting tasks."""
        return StepFunctionsTaskTokens(self.tasks)  # type: ignore[arg-type]  # as much of a client as it uses

    def message_api(self) -> MessageApi:
        """Return the product's own adapter on the emulator."""
        return self._line.api()

    def invoke(self, function: str, payload: Any, *, timeout: float) -> Any:
        """Call a function. Note a round that is cut into no slices: its time is over. Raises TaskError."""
        result = super().invoke(function, payload, timeout=timeout)
        if function == "plan_slices" and not result["waits_for"] and not result["slices"]:
            self.journal.given_up.add(result["shard"])
        return result

    def send_and_wait(self, body: str, token: str, *, heartbeat: float, timeout: float) -> Any:
        """Send a slice to the queue and wait for its end. Raises TaskError."""
        self.scheduler.sleep(0.05)
        is_refused = self.storm.strikes(self.storm.rates.aws_error, "message not sent, or so it seems")
        if not is_refused or self.rng.random() < 0.5:
            self.queue.take(body)
        if is_refused:
            raise TaskError(error="SQS.SdkClientException", cause="Unable to execute HTTP request")
        try:
            return self.tasks.wait(token, heartbeat=heartbeat, timeout=timeout)
        except TaskError:
            self.journal.given_up.add(json.loads(body)["slice"]["shard"])
            raise

    def _deliver(self, message: Message) -> bool:
        """Let a worker serve a message; tell whether it may be deleted."""
        if self.is_throttled() or self.storm.strikes(self.storm.rates.lost_contact / 4, "function not started"):
            return False  # the message is shown again, and one of its receives is used up
        stray = self._strays.get((WORKER, self._called[WORKER]))
        self._called[WORKER] += 1
        trace = {"AWSTraceHeader": f"Lineage={message.lineage}"}
        record = {"messageId": message.id, "body": message.body, "eventSource": "aws:sqs", "attributes": trace}
        run = self.call_function(WORKER, {"Records": [record]}, stray=stray)
        run.actor.done.wait()
        return run.failure is None and not run.result["batchItemFailures"]

    def _work(self, event: Any, context: Any) -> Any:
        invocation = self.storm.invocation()
        assert invocation is not None
        [record] = event["Records"]
        self.journal.serves(invocation.name, record["body"])
        piece = json.loads(record["body"])["slice"]
        if 0 < piece.get("until", 0) <= self.time().timestamp():
            self.journal.given_up.add(piece["shard"])
        self.queue.lineages[invocation.name] = int(record["attributes"]["AWSTraceHeader"].partition("=")[2])
        worker = self._idle.pop() if self._idle else _Worker(self)
        try:
            answer = worker.handle(event, context, ActorLoop(self.scheduler, self.storm, invocation))
        except Crash:
            self.journal.killed.add(invocation.name)
            raise
        self._idle.append(worker)
        if answer["batchItemFailures"]:
            self.journal.failed.add(invocation.name)
        return answer


class UncollectedWorld(LiveWorld):
    """No round is collected before the job was resumed: its functions die."""

    def invoke(self, function: str, payload: Any, *, timeout: float) -> Any:
        """Call a function. Raises TaskError."""
        if function == "collect_results" and len(self.engine.executions) == 1:
            raise TaskError(error="Runtime.ExitError", cause='{"errorType": "Runtime.ExitError"}')
        return super().invoke(function, payload, timeout=timeout)


class _Worker:
    """An execution environment of answer_requests: its module is its own, for it serves one event at a time."""

    def __init__(self, world: LiveWorld) -> None:
        self._processor = _Processor()
        self._handler: Handler = handler_of(WORKER, world, processor=self._processor)

    def handle(self, event: Any, context: Any, loop: ActorLoop) -> Any:
        """Serve an event on this loop."""
        self._processor.loop = loop
        return self._handler(event, context)


class _Processor(AsyncBatchProcessor):
    """Powertools' own, but for the loop that it runs on."""

    loop: ActorLoop

    def __init__(self) -> None:
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)

    def async_process(self) -> list[tuple[Any, ...]]:
        """Serve all records side by side."""

        async def all_records() -> list[tuple[Any, ...]]:
            return list(await asyncio.gather(*[self._async_process_record(record) for record in self.records]))

        return self.loop.run(all_records())


class JournalStore(MemoryStore):
    """A bucket that writes down what the live lane's workers put into it, and when they look."""

    def __init__(self, storm: Storm, journal: Journal, schedule: Schedule) -> None:
        super().__init__(storm)
        self._journal = journal
        self._schedule = schedule

    def write(self, key: str, body: bytes, *, guard: Any = None) -> None:
        """Write an object."""
        found, worker = _FLUSH.search(key), self._storm.invocation()
        if found is None or worker is None:
            super().write(key, body, guard=guard)
            return
        self._journal.names[found[3]] = worker.name
        try:
            super().write(key, body, guard=guard)
        except Exception:
            self._journal.refused_by_store.add(worker.name)
            raise

    def _listed(self, prefix: str) -> list[str]:
        found, looker = _FLUSHES.search(prefix), self._storm.invocation()
        if found is not None and looker is not None:
            now = self._storm.now()
            if found[3]:
                self._journal.looked_at.setdefault(looker.name, now)
            else:
                self._journal.collected_from.setdefault((int(found[1]), int(found[2])), now)
        return super()._listed(prefix)

    def _put(self, key: str, body: bytes, over: object) -> None:
        super()._put(key, body, over)
        found = _FLUSH.search(key)
        if found is not None:
            lines = tuple(self._line(line) for line in body.splitlines())
            self._journal.flushes.append(Flush(key, self._journal.names[found[3]], self._storm.now(), lines))

    def _line(self, line: bytes) -> tuple[int, bool]:
        found = json.loads(line)
        return self._row_of(found["custom_id"]), found["result"]["type"] == "succeeded"

    def _row_of(self, custom_id: str) -> int:
        """Return the row of a custom_id. In a grouped job the rows have another order, so its text says the row."""
        _, shard, index = custom_id.rsplit("-", 2)
        if not self._schedule.is_grouped:
            return self._schedule.row_number(int(shard), int(index))
        [body] = [body for key, body in self.objects.items() if key.endswith(f"/shards/{shard}.requests.json")]
        [request] = [one for one in json.loads(body)["requests"] if one["custom_id"] == custom_id]
        found = _ROW.search(json.dumps(request["params"]["messages"]))
        assert found is not None, f"{custom_id} has no row"
        return int(found[1])
