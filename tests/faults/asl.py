"""The state machine's definition: read, checked to hold nothing that the engine does not know, and its expressions.

Whatever is not known here (a state type, a field, an operator, an intrinsic function) is an AssertionError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
State = dict[str, Any]

PUT_ITEM = "arn:${Partition}:states:::dynamodb:putItem"
INVOKE_AND_WAIT = "arn:${Partition}:states:::lambda:invoke.waitForTaskToken"
SEND_AND_WAIT = "arn:${Partition}:states:::sqs:sendMessage.waitForTaskToken"

_RETRIER = {"ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds", "JitterStrategy"}
_CATCHER = {"ErrorEquals", "ResultPath", "Next"}
_FIELDS = {
    "Task": {
        "Resource", "Parameters", "ResultPath", "TimeoutSeconds", "HeartbeatSeconds", "Retry", "Catch", "Next",
    },
    "Choice": {"Choices", "Default"},
    "Wait": {"SecondsPath", "Next"},
    "Pass": {"Result", "ResultPath", "Next", "End"},
    "Fail": {"ErrorPath", "CausePath"},
    "Succeed": set(),
    "Map": {
        "Label", "ItemReader", "ItemsPath", "ItemSelector", "MaxConcurrency", "ToleratedFailurePercentage",
        "ItemProcessor", "Catch", "ResultPath", "Next",
    },
}  # fmt: skip
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "BooleanEquals": lambda value, wanted: value is wanted,
    "StringEquals": lambda value, wanted: isinstance(value, str) and value == wanted,
    "NumericGreaterThan": lambda value, wanted: value > wanted,
}
_CALL = re.compile(r"States\.(\w+)\((.*)\)")


class BadPath(Exception):  # States.Runtime: the execution fails
    """A path leads nowhere."""


@cache
def definition() -> State:
    """Return statemachines/job.asl.yaml, checked. Its `${…}` are left as they are."""
    text = (ROOT / "statemachines" / "job.asl.yaml").read_text(encoding="utf-8")
    loaded: State = yaml.safe_load(text)
    check_machine(loaded, {"Comment", "StartAt", "States"})
    return loaded


def check_machine(machine: State, known: set[str]) -> None:
    """Raise AssertionError for a field or state type that the engine does not know, or a Next that leads nowhere."""
    _only(machine, known, "the machine")
    assert machine["StartAt"] in machine["States"]
    for name, state in machine["States"].items():
        _check_state(name, state)
        for target in _targets(state):
            assert target in machine["States"], f"{name}: no state {target}"


def _check_state(name: str, state: State) -> None:
    assert state["Type"] in _FIELDS, f"{name}: state type {state['Type']} is not known"
    _only(state, _FIELDS[state["Type"]] | {"Type", "Comment"}, name)
    for retrier in state.get("Retry", []):
        _only(retrier, _RETRIER, f"{name}: Retry")
    for catcher in state.get("Catch", []):
        _only(catcher, _CATCHER, f"{name}: Catch")
    for rule in state.get("Choices", []):
        _only(rule, {"Variable", "Next", *OPERATORS}, f"{name}: Choices")
    assert ("HeartbeatSeconds" in state) == (state.get("Resource") == SEND_AND_WAIT), name
    if state["Type"] == "Map":
        _check_map(name, state)


def _check_map(name: str, state: State) -> None:
    processor = state["ItemProcessor"]
    if "ItemsPath" in state:
        assert processor["ProcessorConfig"] == {"Mode": "INLINE"}, name
        assert "ItemReader" not in state, name
        assert "ToleratedFailurePercentage" not in state, name
    else:
        reader = state["ItemReader"]
        assert reader["Resource"] == "arn:${Partition}:states:::s3:getObject", name
        assert reader["ReaderConfig"] == {"InputType": "JSON"}, name
        assert processor["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, name
        assert state["ToleratedFailurePercentage"] == 100, name
    check_machine(processor, {"ProcessorConfig", "StartAt", "States"})


def _targets(state: State) -> Iterator[str]:
    for holder in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in holder:
            yield holder["Next"]
    if "Default" in state:
        yield state["Default"]


def _only(fields: State, known: set[str], where: str) -> None:
    assert fields.keys() <= known, f"{where}: {sorted(fields.keys() - known)} not known here"


def path(expression: str, data: Any, context: Any) -> Any:
    """Follow `$.a.b` into the data, `$$.A.B` into the context. Raises BadPath."""
    value = context if expression.startswith("$$") else data
    for name in expression.lstrip("$").split(".")[1:]:
        if not isinstance(value, dict) or name not in value:
            raise BadPath(expression)
        value = value[name]
    return value


def fill(template: Any, data: Any, context: Any) -> Any:
    """Fill a payload template: keys that end in `.$` take what their expression says."""
    if isinstance(template, dict):
        filled = {}
        for key, value in template.items():
            if key.endswith(".$"):
                filled[key.removesuffix(".$")] = evaluate(value, data, context)
            else:
                filled[key] = fill(value, data, context)
        return filled
    assert not isinstance(template, list), "lists in templates are not known here"
    return template


def evaluate(expression: str, data: Any, context: Any) -> Any:
    """Evaluate a path or an intrinsic function."""
    match = _CALL.fullmatch(expression)
    if match is None:
        assert expression.startswith("$"), f"not known here: {expression}"
        return path(expression, data, context)
    arguments = [_argument(text.strip(), data, context) for text in match[2].split(",")]
    match match[1]:
        case "Format":
            return _format(*arguments)
        case "MathAdd":
            assert len(arguments) == 2
            return arguments[0] + arguments[1]
    raise AssertionError(f"States.{match[1]} is not known here")


def _argument(text: str, data: Any, context: Any) -> Any:
    return text[1:-1] if text.startswith("'") else path(text, data, context)


def _format(pattern: str, *arguments: Any) -> str:
    pieces = pattern.split("{}")
    assert len(pieces) == len(arguments) + 1, f"not as many arguments as places: {pattern}"
    texts = [argument if isinstance(argument, str) else json.dumps(argument) for argument in arguments]
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


def placed(result_path: str | None, data: Any, result: Any) -> Any:
    """Put a result where ResultPath says; `null` drops it."""
    if result_path is None:
        return data
    if result_path == "$":
        return result
    *way, last = result_path.removeprefix("$.").split(".")
    whole = json.loads(json.dumps(data))
    inner = whole
    for name in way:
        inner = inner.setdefault(name, {})
    inner[last] = result
    return whole
