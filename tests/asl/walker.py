"""Walks the states of a definition, and counts history events as AWS Step Functions does.

It knows what the definition's child uses, and refuses whatever else it meets: a state type, a field, an operator or
an intrinsic function that it does not know is an AssertionError, never a guess.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

State = dict[str, Any]
Task = Callable[[str, Any], Any]  # resource, input -> result; raises TaskError

# AWS: "Execution history events" - what one visit of a state writes.
ENTERED_AND_EXITED = 2
LAMBDA_BY_ARN = 3  # LambdaFunctionScheduled, LambdaFunctionStarted, LambdaFunctionSucceeded or Failed
SERVICE_CALL = 3  # TaskScheduled, TaskStarted, TaskSucceeded or TaskFailed
EXECUTION = 2  # ExecutionStarted, ExecutionSucceeded or ExecutionFailed

_KNOWN_FIELDS = {
    "Task": {"Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next"},
    "Choice": {"Choices", "Default"},
    "Wait": {"SecondsPath", "Next"},
    "Pass": {"Result", "Next", "End"},
    "Fail": {"ErrorPath", "CausePath"},
    "Succeed": set(),
}  # fmt: skip
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "BooleanEquals": lambda value, wanted: value is wanted,
    "StringEquals": lambda value, wanted: value == wanted,
    "NumericGreaterThan": lambda value, wanted: value > wanted,
}


class TaskError(Exception):
    """A task failed with an error of this name."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


@dataclass
class Walk:
    """What a walk did. `seconds` is how long its waits and retries took, `largest` the most bytes of state JSON."""

    events: int = EXECUTION
    seconds: float = 0.0
    largest: int = 0
    visited: list[str] = field(default_factory=list)
    output: Any = None
    error: str = ""
    cause: str = ""


class Walker:
    """Runs states one after the other. `on_wait` is told of every wait, so that a test's clock can follow."""

    def __init__(self, states: dict[str, State], task: Task, on_wait: Callable[[float], object]) -> None:
        self._states = states
        self._call = task
        self._on_wait = on_wait

    def run(self, start_at: str, given: Any) -> Walk:
        """Walk from a state to an end."""
        walk = Walk()
        name: str | None = start_at
        data = given
        while name is not None:
            state = self._states[name]
            check_known(name, state)
            walk.visited.append(name)
            walk.largest = max(walk.largest, len(json.dumps(data)))
            name, data = getattr(self, f"_{state['Type'].lower()}")(state, data, walk)
        walk.output = data
        return walk

    def _choice(self, state: State, data: Any, walk: Walk) -> tuple[str, Any]:
        walk.events += ENTERED_AND_EXITED
        for rule in state["Choices"]:
            [operator] = rule.keys() - {"Variable", "Next"}
            if _OPERATORS[operator](path(data, rule["Variable"]), rule[operator]):
                return rule["Next"], data
        return state["Default"], data

    def _wait(self, state: State, data: Any, walk: Walk) -> tuple[str, Any]:
        walk.events += ENTERED_AND_EXITED
        self._pause(path(data, state["SecondsPath"]), walk)
        return state["Next"], data

    def _pass(self, state: State, data: Any, walk: Walk) -> tuple[str | None, Any]:
        walk.events += ENTERED_AND_EXITED
        return state.get("Next"), copy.deepcopy(state.get("Result", data))

    def _succeed(self, _state: State, data: Any, walk: Walk) -> tuple[None, Any]:
        walk.events += ENTERED_AND_EXITED
        return None, data

    def _fail(self, state: State, data: Any, walk: Walk) -> tuple[None, Any]:
        walk.events += 1  # FailStateEntered
        walk.error, walk.cause = path(data, state["ErrorPath"]), path(data, state["CausePath"])
        return None, None

    def _task(self, state: State, data: Any, walk: Walk) -> tuple[str | None, Any]:
        walk.events += ENTERED_AND_EXITED
        given = filled(state["Parameters"], data) if "Parameters" in state else data
        try:
            result = self._attempted(state, given, walk)
        except TaskError as failure:
            return self._caught(state, data, failure, walk)
        return state["Next"], placed(data, state.get("ResultPath", "$"), result)

    def _attempted(self, state: State, given: Any, walk: Walk) -> Any:
        """Run a task as often as its retriers allow. Raises the last TaskError."""
        spent = [0] * len(state["Retry"])
        while True:
            walk.events += LAMBDA_BY_ARN if "Function" in state["Resource"] else SERVICE_CALL
            try:
                return self._task_result(state["Resource"], given)
            except TaskError as failure:
                number = _matching(state["Retry"], failure.error)
                if number is None or spent[number] == state["Retry"][number]["MaxAttempts"]:
                    raise
                self._pause(_delay(state["Retry"][number], spent[number]), walk)
                spent[number] += 1

    def _task_result(self, resource: str, given: Any) -> Any:
        return json.loads(json.dumps(self._call(resource, copy.deepcopy(given))))

    def _caught(self, state: State, data: Any, failure: TaskError, walk: Walk) -> tuple[str | None, Any]:
        number = _matching(state["Catch"], failure.error)
        if number is None:
            walk.error, walk.cause = failure.error, failure.cause
            return None, None
        catcher = state["Catch"][number]
        told = {"Error": failure.error, "Cause": failure.cause}
        return catcher["Next"], placed(data, catcher["ResultPath"], told)

    def _pause(self, seconds: float, walk: Walk) -> None:
        assert seconds >= 0
        walk.seconds += seconds
        self._on_wait(seconds)


def check_known(name: str, state: State) -> None:
    """Fail where a state has what this walker does not know."""
    assert state["Type"] in _KNOWN_FIELDS, f"{name}: a state type that the walker does not know"
    unknown = state.keys() - _KNOWN_FIELDS[state["Type"]] - {"Type", "Comment"}
    assert not unknown, f"{name}: fields that the walker does not know: {unknown}"


def path(data: Any, text: str) -> Any:
    """Follow a plain path such as `$.fault.Error`; what is not there is an error, as on AWS."""
    if text.startswith("$$."):
        return f"<{text}>"  # of the context object, which no walk looks into
    assert re.fullmatch(r"\$(\.[A-Za-z_]+)*", text), f"a path that the walker does not know: {text}"
    for name in text.split(".")[1:]:
        assert name in data, f"States.Runtime: {text} is not in {data}"
        data = data[name]
    return data


def placed(data: Any, where: str | None, result: Any) -> Any:
    """Put a result into the state, as ResultPath does."""
    if where is None:
        return data
    if where == "$":
        return result
    assert re.fullmatch(r"\$(\.[A-Za-z_]+)+", where), f"a ResultPath that the walker does not know: {where}"
    name, _, rest = where.removeprefix("$.").partition(".")
    return {**data, name: placed(data[name], f"$.{rest}", result) if rest else result}


def filled(parameters: Any, data: Any) -> Any:
    """Fill a payload template: `"x.$"` takes a path or `States.Format`."""
    if isinstance(parameters, list):
        return [filled(part, data) for part in parameters]
    if not isinstance(parameters, dict):
        return parameters
    return {
        name.removesuffix(".$"): _dynamic(value, data) if name.endswith(".$") else filled(value, data)
        for name, value in parameters.items()
    }


def _dynamic(text: str, data: Any) -> Any:
    if not text.startswith("States."):
        return path(data, text)
    called = re.fullmatch(r"States\.Format\('([^']*)'((?:, \$[.\w]+)*)\)", text)
    assert called, f"an intrinsic function that the walker does not know: {text}"
    template, arguments = called[1], [path(data, one) for one in called[2].split(", ")[1:]]
    assert template.count("{}") == len(arguments), text
    return template.format(*arguments)


def _matching(rules: list[dict[str, Any]], error: str) -> int | None:
    for number, rule in enumerate(rules):
        if error in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]:
            return number
    return None


def _delay(rule: dict[str, Any], attempt: int) -> float:
    """Return the longest wait of a retry; JitterStrategy FULL only shortens it."""
    return float(min(rule["IntervalSeconds"] * rule["BackoffRate"] ** attempt, rule["MaxDelaySeconds"]))


def all_states(definition: State, where: str = "") -> Iterator[tuple[str, State, dict[str, State]]]:
    """Yield name, state and its level's states, also of what Maps and Parallels hold."""
    for name, state in definition["States"].items():
        yield f"{where}{name}", state, definition["States"]
        inner = [state[key] for key in ("ItemProcessor", "Iterator") if key in state] + state.get("Branches", [])
        for one in inner:
            yield from all_states(one, f"{where}{name} / ")


def levels(definition: State) -> Iterator[State]:
    """Yield the definition and every definition inside it."""
    yield definition
    for state in definition["States"].values():
        for one in [state[key] for key in ("ItemProcessor", "Iterator") if key in state] + state.get("Branches", []):
            yield from levels(one)


def targets(state: State) -> list[str]:
    """Return every state that this one may lead to."""
    rules = state.get("Choices", []) + state.get("Catch", [])
    named = [rule["Next"] for rule in rules] + [state.get("Next"), state.get("Default")]
    return [name for name in named if name]
