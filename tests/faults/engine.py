"""Runs executions of the job's state machine, as Step Functions does, on virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from tests.faults.asl import (
    INVOKE_AND_WAIT,
    OPERATORS,
    PUT_ITEM,
    SEND_AND_WAIT,
    BadPath,
    State,
    definition,
    fill,
    path,
    placed,
)
from tests.faults.execution import Execution, TaskError, Tasks
from tests.faults.scheduler import Scheduler, Signal

MAX_STATE_BYTES = 256 * 1024  # Step Functions: payload of a state


class Engine:
    """All executions of one state machine. `log` is told what happens."""

    def __init__(
        self,
        scheduler: Scheduler,
        tasks: Tasks,
        rng: random.Random,
        *,
        concurrency: int,
        log: Callable[[str], None],
    ) -> None:
        self._scheduler = scheduler
        self._tasks = tasks
        self._rng = rng
        self._concurrency = concurrency
        self._log = log
        self._ended = Signal(scheduler)
        self._tokens = count()
        self.executions: dict[str, Execution] = {}

    def start(self, name: str, given: Any) -> bool:
        """Start an execution; False if there is, or ever was, one of that name."""
        if name in self.executions:
            return False
        machine = definition()
        context = {"Execution": {"Input": given, "Name": name, "RedriveCount": 0}}
        execution = Execution(name, machine["States"], machine["StartAt"], given, context)
        self.executions[name] = execution
        self._go(execution)
        return True

    def take_over(self, execution: Execution) -> None:
        """Let an execution go on that another engine began, where it stands."""
        self.executions[execution.name] = execution
        if execution.is_running:
            self._go(execution)

    def stop(self, execution: Execution) -> None:
        """Stop by hand: the functions that were called go on."""
        for child in execution.children.values():
            self.stop(child)
        if execution.is_running:
            execution.status = "ABORTED"
            if execution.actor:
                self._scheduler.stop(execution.actor)

    def redrive(self, execution: Execution) -> None:
        """Go on where an execution failed or was stopped."""
        assert execution.status in {"FAILED", "ABORTED"}
        execution.redrives += 1
        execution.context["Execution"]["RedriveCount"] = execution.redrives
        execution.status, execution.error, execution.cause = "RUNNING", "", ""
        self._go(execution)

    def _go(self, execution: Execution) -> None:
        execution.actor = self._scheduler.start(execution.name, lambda: self._walk(execution))

    def _walk(self, execution: Execution) -> None:
        try:
            while execution.state is not None:
                execution.visited.append(execution.state)
                state = execution.states[execution.state]
                assert len(json.dumps(execution.data)) < MAX_STATE_BYTES
                step = getattr(self, f"_{state['Type'].lower()}")
                execution.state, execution.data = step(state, execution)
        except TaskError as failure:
            execution.status, execution.error, execution.cause = "FAILED", failure.error, failure.cause
        except BadPath as failure:
            execution.status, execution.error, execution.cause = "FAILED", "States.Runtime", str(failure)
        else:
            execution.status, execution.output = "SUCCEEDED", execution.data
        self._log(f"{execution.name}: {execution.status} {execution.error}")
        self._ended.set()

    def _choice(self, state: State, execution: Execution) -> tuple[str, Any]:
        for rule in state["Choices"]:
            [operator] = rule.keys() & OPERATORS.keys()
            if OPERATORS[operator](path(rule["Variable"], execution.data, execution.context), rule[operator]):
                return rule["Next"], execution.data
        return state["Default"], execution.data

    def _wait(self, state: State, execution: Execution) -> tuple[str, Any]:
        seconds = path(state["SecondsPath"], execution.data, execution.context)
        assert isinstance(seconds, int), "Wait takes whole seconds"
        assert seconds >= 0
        self._scheduler.sleep(seconds)
        return state["Next"], execution.data

    def _pass(self, state: State, execution: Execution) -> tuple[str | None, Any]:
        if "Result" not in state:
            return state.get("Next"), execution.data
        return state.get("Next"), placed(state.get("ResultPath", "$"), execution.data, state["Result"])

    def _succeed(self, _state: State, execution: Execution) -> tuple[None, Any]:
        return None, execution.data

    def _fail(self, state: State, execution: Execution) -> tuple[None, Any]:
        error, cause = (path(state[name], execution.data, execution.context) for name in ("ErrorPath", "CausePath"))
        raise TaskError(error, cause)

    def _task(self, state: State, execution: Execution) -> tuple[str, Any]:
        attempts: dict[int, int] = {}
        while True:
            try:
                result = self._attempt(state, execution)
            except TaskError as failure:
                delay = self._retry_delay(state, failure.error, attempts)
                if delay is None:
                    return self._caught(state, execution, failure)
                self._log(f"{execution.name}: {execution.state}: {failure.error}, again in {delay:.0f} s")
                self._scheduler.sleep(delay)
            else:
                return state["Next"], placed(state.get("ResultPath", "$"), execution.data, result)

    def _attempt(self, state: State, execution: Execution) -> Any:
        if state["Resource"] == INVOKE_AND_WAIT:
            return self._invoke_and_wait(state, execution)
        if state["Resource"] == SEND_AND_WAIT:
            return self._send_and_wait(state, execution)
        payload = execution.data
        if "Parameters" in state:
            payload = fill(state["Parameters"], execution.data, execution.context)
        if state["Resource"] == PUT_ITEM:
            assert payload["TableName"] == "${LedgerTableName}"
            return self._tasks.put_item({name: _untyped(value) for name, value in payload["Item"].items()})
        function = function_of(state["Resource"])
        return self._tasks.invoke(function, json.loads(json.dumps(payload)), timeout=state["TimeoutSeconds"])

    def _invoke_and_wait(self, state: State, execution: Execution) -> Any:
        token = f"wait-{next(self._tokens)} of {execution.name}"
        given = fill(state["Parameters"], execution.data, {**execution.context, "Task": {"Token": token}})
        assert state["TimeoutSeconds"] == "${ApprovalSeconds}"
        payload = json.loads(json.dumps(given["Payload"]))
        return self._tasks.invoke_and_wait(function_of(given["FunctionName"]), payload, token)

    def _send_and_wait(self, state: State, execution: Execution) -> Any:
        token = f"token-{next(self._tokens)} of {execution.name}"
        given = fill(state["Parameters"], execution.data, {**execution.context, "Task": {"Token": token}})
        assert given["QueueUrl"] == "${SliceQueueUrl}"
        body = json.dumps(given["MessageBody"])
        return self._tasks.send_and_wait(
            body, token, heartbeat=state["HeartbeatSeconds"], timeout=state["TimeoutSeconds"]
        )

    def _retry_delay(self, state: State, error: str, attempts: dict[int, int]) -> float | None:
        for number, retrier in enumerate(state.get("Retry", [])):
            if not _matches(error, retrier["ErrorEquals"]):
                continue
            done = attempts.get(number, 0)
            if done >= retrier["MaxAttempts"]:
                return None
            attempts[number] = done + 1
            delay = min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** done, retrier["MaxDelaySeconds"])
            assert retrier["JitterStrategy"] == "FULL"
            return self._rng.uniform(0, delay)
        return None

    def _caught(self, state: State, execution: Execution, failure: TaskError) -> tuple[str, Any]:
        for catcher in state.get("Catch", []):
            if _matches(failure.error, catcher["ErrorEquals"]):
                self._log(f"{execution.name}: {execution.state}: {failure.error} -> {catcher['Next']}")
                fault = {"Error": failure.error, "Cause": failure.cause}
                return catcher["Next"], placed(catcher["ResultPath"], execution.data, fault)
        raise failure

    def _map(self, state: State, execution: Execution) -> tuple[str, Any]:
        try:
            if "ItemsPath" in state:
                items = path(state["ItemsPath"], execution.data, execution.context)
                self._run_children(state, execution, items, at_once=state["MaxConcurrency"])
                self._raise_first_failure(execution)
            else:
                assert state["MaxConcurrency"] == "${ShardConcurrency}"
                reader = fill(state["ItemReader"]["Parameters"], execution.data, execution.context)
                items = self._tasks.read_items(reader["Key"])
                self._run_children(state, execution, items, at_once=self._concurrency)
        except TaskError as failure:
            return self._caught(state, execution, failure)
        execution.children = {}
        return state["Next"], placed(state["ResultPath"], execution.data, None)

    def _run_children(self, state: State, execution: Execution, items: list[Any], *, at_once: int) -> None:
        running: list[Execution] = []
        for child in self._new_children(state, execution, items):
            running = self._await_room([one for one in running if one.is_running], most=at_once - 1)
            self._go(child)
            running.append(child)
        self._await_room(running, most=0)

    def _raise_first_failure(self, execution: Execution) -> None:
        """Let an INLINE Map fail as its first iteration did; a DISTRIBUTED one tolerates what it is told to."""
        for child in execution.children.values():
            if child.status != "SUCCEEDED":
                raise TaskError(child.error, child.cause)

    def _await_room(self, running: list[Execution], *, most: int) -> list[Execution]:
        while len(running) > most:
            if self._ended.is_set:  # several Maps may wait at once, on the same signal
                self._ended = Signal(self._scheduler)
            self._ended.wait()
            running = [one for one in running if one.is_running]
        return running

    def _new_children(self, state: State, execution: Execution, items: list[Any]) -> Iterator[Execution]:
        """Yield the children to run: of a redriven Map those that did not succeed, where they stand."""
        processor = state["ItemProcessor"]
        for index, item in enumerate(items):
            child = execution.children.get(index)
            if child is None:
                context = {**execution.context, "Map": {"Item": {"Value": item, "Index": index}}}
                given = fill(state["ItemSelector"], execution.data, context)
                name = f"{execution.name}/{index}"
                child = Execution(name, processor["States"], processor["StartAt"], given, context)
                execution.children[index] = child
            elif child.status == "SUCCEEDED":
                continue
            child.status = "RUNNING"
            yield child


def function_of(resource: str) -> str:
    """Return the folder of the function that `${SplitUploadFunctionArn}` stands for."""
    name = resource.removeprefix("${").removesuffix("FunctionArn}")
    assert resource == f"${{{name}FunctionArn}}", f"resource {resource} is not known here"
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _matches(error: str, names: list[str]) -> bool:
    assert "States.TaskFailed" not in names, "not known here"
    return error in names or ("States.ALL" in names and error != "States.Runtime")


def _untyped(value: dict[str, Any]) -> Any:
    [(kind, text)] = value.items()
    assert kind in {"S", "N"}
    assert isinstance(text, str)
    return int(text) if kind == "N" else text
