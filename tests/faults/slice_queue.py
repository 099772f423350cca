"""SQS and Lambda's event source, as they serve the live lane: at least once, and in no hurry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from batchdrop.adapters.aws.faults import translated
from batchdrop.local.sam_template import read_template
from tests.faults.asl import ROOT
from tests.faults.execution import TaskError
from tests.faults.scheduler import Scheduler, Signal
from tests.faults.storm import Storm

DOUBLE_AFTER = (0.05, 2.0, 70.0, 280.0)  # seconds at most between a message and its double


@dataclass
class Message:
    """One message, and what became of it."""

    id: str
    body: str
    lineage: int = 0  # passes through the queue and the function that lead to it, as the trace header counts them
    receives: int = 0
    is_deleted: bool = False


@dataclass(frozen=True)
class QueueRules:
    """What template.yaml says of the queue."""

    visibility_seconds: float
    most_receives: int
    kept_seconds: float


LOOP_PASSES = 16  # about so many; then Lambda stops the event, unless the function allows loops


@cache
def allows_loops() -> bool:
    """Return whether template.yaml lets the worker's function call itself through the queue."""
    worker = read_template(ROOT / "template.yaml")["Resources"]["AnswerRequestsFunction"]["Properties"]
    return bool(worker.get("RecursiveLoop") == "Allow")


@cache
def rules() -> QueueRules:
    """Return the slices' queue as template.yaml describes it."""
    queue = read_template(ROOT / "template.yaml")["Resources"]["SliceQueue"]["Properties"]
    return QueueRules(
        queue["VisibilityTimeout"], queue["RedrivePolicy"]["maxReceiveCount"], queue["MessageRetentionPeriod"]
    )


class SliceQueue:
    """A queue whose messages are served by `deliver`, which returns what the worker said of a message: served or not.

    As a client for SqsQueue it has `send_message`, which only a worker calls that hands its slice back.
    """

    def __init__(self, scheduler: Scheduler, storm: Storm, deliver: Callable[[Message], bool], *, workers: int) -> None:
        self._scheduler = scheduler
        self._storm = storm
        self._deliver = deliver
        self._free = workers
        self._freed = Signal(scheduler)
        self._count = 0
        self.allows_loops = allows_loops()
        self.stopped_loops: list[str] = []
        self.lineages: dict[str, int] = {}  # of the messages that workers serve, by the worker's name

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 - boto3's
        """Take a message. Raises AwsUnavailable, now and then after it was taken."""

        def hand_back() -> None:
            self._storm.counts["slice handed back"] += 1
            worker = self._storm.invocation()
            self.take(MessageBody, lineage=self.lineages[worker.name] + 1 if worker else 0)

        call_aws(self._storm, "sqs", "SendMessage", hand_back)

    def take(self, body: str, *, lineage: int = 0) -> None:
        """Take a message, and see that it is served. A loop that is too long is stopped, as Lambda does it."""
        self._storm.counts["message of a slice"] += 1
        self._count += 1
        message = Message(f"message-{self._count}", body, lineage)
        if lineage > LOOP_PASSES and not self.allows_loops:
            self._storm.counts["lost slice"] += 1
            self.stopped_loops.append(body)
            return
        self._scheduler.start(message.id, lambda: self._serve(message))

    def _serve(self, message: Message) -> None:
        """Show the message until it is deleted, or was received too often."""
        sent = self._scheduler.now
        while not message.is_deleted:
            if message.receives:
                self._storm.counts["SQS redelivery"] += 1
            if message.receives >= rules().most_receives or self._scheduler.now - sent > rules().kept_seconds:
                self._storm.counts["lost slice"] += 1
                self._storm.log(f"{message.id}: given up by the queue")
                return
            self._take_worker()
            message.receives += 1
            shown_again = self._scheduler.now + rules().visibility_seconds
            if self._storm.strikes(self._storm.rates.double_delivery, "SQS double delivery"):
                delay = self._storm.rng.uniform(0, self._storm.rng.choice(DOUBLE_AFTER))
                self._scheduler.start(f"double of {message.id}", lambda: self._double(message), delay=delay)
            self._hand_over(message)
            if not message.is_deleted:
                self._scheduler.sleep(shown_again - self._scheduler.now)

    def _double(self, message: Message) -> None:
        self._take_worker()
        self._hand_over(message)

    def _hand_over(self, message: Message) -> None:
        try:
            is_served = self._deliver(message)
        finally:
            self._free += 1
            self._freed.set()
        if is_served and not self._storm.strikes(self._storm.rates.redelivery, "SQS delete lost"):
            message.is_deleted = True

    def _take_worker(self) -> None:
        while self._free <= 0:
            if self._freed.is_set:
                self._freed = Signal(self._scheduler)
            self._freed.wait()
        self._free -= 1


class WaitingTasks:
    """The tasks that wait for a token: the state machine's end, and a client for StepFunctionsTaskTokens."""

    exceptions = boto3.client(
        "stepfunctions", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    ).exceptions

    def __init__(self, scheduler: Scheduler, storm: Storm) -> None:
        self._scheduler = scheduler
        self._storm = storm
        self._waiting: dict[str, _Task] = {}

    def wait(self, token: str, *, heartbeat: float, timeout: float) -> Any:
        """Wait for a task's end; return its output. Raises TaskError."""
        task = self._waiting[token] = _Task(Signal(self._scheduler), self._scheduler.now)
        over_at = self._scheduler.now + timeout
        try:
            while not task.ended.wait(min(task.beaten_at + heartbeat, over_at)):
                if self._scheduler.now >= min(task.beaten_at + heartbeat, over_at):
                    self._storm.counts["slice not answered"] += 1
                    raise TaskError(error="States.Timeout", cause="nobody ended the task")
        finally:
            del self._waiting[token]
        if task.failure is not None:
            raise task.failure
        return task.output

    def send_task_success(self, *, taskToken: str, output: str) -> None:  # noqa: N803 - boto3's
        """End a task well."""

        def succeed() -> None:
            task = self._task(taskToken, "SendTaskSuccess")
            task.output = json.loads(output)
            task.ended.set()

        call_aws(self._storm, "states", "SendTaskSuccess", succeed)

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:  # noqa: N803 - boto3's
        """End a task by an error."""

        def fail() -> None:
            task = self._task(taskToken, "SendTaskFailure")
            task.failure = TaskError(error, cause)
            task.ended.set()

        call_aws(self._storm, "states", "SendTaskFailure", fail)

    def send_task_heartbeat(self, *, taskToken: str) -> None:  # noqa: N803 - boto3's
        """Note that a task is alive."""

        def beat() -> None:
            self._task(taskToken, "SendTaskHeartbeat").beaten_at = self._scheduler.now

        call_aws(self._storm, "states", "SendTaskHeartbeat", beat)

    def _task(self, token: str, operation: str) -> _Task:
        task = self._waiting.get(token)
        if task is None or task.ended.is_set:
            raise self.exceptions.TaskTimedOut({"Error": {"Code": "TaskTimedOut", "Message": "gone"}}, operation)
        return task


@dataclass
class _Task:
    ended: Signal
    beaten_at: float
    output: Any = None
    failure: TaskError | None = None


def call_aws(storm: Storm, service: str, operation: str, act: Callable[[], None]) -> None:
    """Call a service of AWS, which may refuse, and may have taken effect all the same. Raises AwsUnavailable."""

    def effect() -> None:
        is_refused = storm.strikes(storm.rates.aws_error, f"{operation} refused")
        if not is_refused or storm.rng.random() < 0.5:
            act()
        if is_refused:
            raise translated(ClientError({"Error": {"Code": "InternalError", "Message": "try again"}}, operation))

    storm.call(f"{service} {operation}", effect, in_flight=2.0)
