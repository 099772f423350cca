"""What a job on the embedded stack really asked of AWS and of the API: counted, not modelled.

ministack's log has a line for each request that a function makes; what the state machine does by itself (invoke a
function, send a message) is in its histories. ministack writes fewer history events than AWS does, so events are
counted by AWS's rule from the states that were entered.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.claude_api.testing import Emulator
from local.stack import EmbeddedStack

PATIENCE = 1_500.0
REQUEST = re.compile(r"\b(GET|HEAD|PUT|POST|DELETE) (\S+) -> service=(\w+) ")
ENTERED = "StateEntered"


@dataclass(frozen=True)
class Counted:
    """One job: states entered (by name, of each execution), requests (by service and method), calls of the API."""

    status: str
    seconds: float
    top: Counter[str]
    children: list[Counter[str]]
    requests: Counter[str]
    api_calls: dict[str, int]
    cpu_seconds: dict[str, float]
    log_bytes: int

    @property
    def visits(self) -> Counter[str]:
        """Return how often each state was entered, in all executions."""
        return sum(self.children, start=Counter(self.top))


def count(running: EmbeddedStack, recipe: str, name: str, file: Path) -> Counted:
    """Drop a file, wait for its job's end, and count. Nothing else may use the stack meanwhile."""
    emulator, log = Emulator(running.claude_base_url), running.log_dir / "ministack.log"
    before, read_from, logged = emulator.call_summary()["by_endpoint"], log.stat().st_size, _logged(running)
    cpu = {one.function: one.cpu_seconds for one in running.function_stats()}
    began = time.monotonic()
    key = f"inbox/{recipe}/{name}"
    running.clients.s3().put_object(Bucket=running.bucket, Key=key, Body=file.read_bytes())
    top = _ended(running, key)
    seconds = time.monotonic() - began
    requests = _requests(log, read_from)
    requests["s3 PUT"] -= 1  # the upload itself
    time.sleep(2)  # the supervisor looks five times a second; ministack writes logs a little later
    children = _children(running, top["executionArn"])
    after = emulator.call_summary()["by_endpoint"]
    return Counted(
        status=top["status"],
        seconds=round(seconds, 1),
        top=_entered(running, top["executionArn"]),
        children=[_entered(running, one["executionArn"]) for one in children],
        requests=requests,
        api_calls={one: sum(calls.values()) - sum(before.get(one, {}).values()) for one, calls in after.items()},
        cpu_seconds={
            one.function: round(one.cpu_seconds - cpu.get(one.function, 0.0), 2) for one in running.function_stats()
        },
        log_bytes=_logged(running) - logged,
    )


def _requests(log: Path, start: int) -> Counter[str]:
    """Count requests by service and method; a GET of the bucket itself is a listing."""
    found: Counter[str] = Counter()
    with log.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            if seen := REQUEST.search(line.decode(errors="replace")):
                method, path, service = seen.groups()
                is_list = service == "s3" and method == "GET" and path.strip("/").count("/") == 0
                found[f"{service} {'LIST' if is_list else method}"] += 1
    return found


def _logged(running: EmbeddedStack) -> int:
    return sum(path.stat().st_size for path in running.write_function_logs())


def _ended(running: EmbeddedStack, key: str) -> dict[str, Any]:
    states, deadline = running.clients.stepfunctions(), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for one in _executions(running, stateMachineArn=running.state_machine_arn):
            if one["status"] != "RUNNING" and not one.get("mapRunArn"):
                described: dict[str, Any] = states.describe_execution(executionArn=one["executionArn"])  # type: ignore[assignment]  # a TypedDict
                if f'"{key}"' in described["input"]:
                    return described
        time.sleep(0.5)
    raise TimeoutError(f"the job of {key} did not end within {PATIENCE:g} s")


def _children(running: EmbeddedStack, arn: str) -> list[dict[str, Any]]:
    runs = running.clients.stepfunctions().list_map_runs(executionArn=arn)["mapRuns"]
    return [one for run in runs for one in _executions(running, mapRunArn=run["mapRunArn"])]


def _executions(running: EmbeddedStack, **asked: str) -> list[dict[str, Any]]:
    pages: Any = running.clients.stepfunctions().get_paginator("list_executions")
    return [one for page in pages.paginate(**asked) for one in page["executions"]]


def _entered(running: EmbeddedStack, arn: str) -> Counter[str]:
    pages = running.clients.stepfunctions().get_paginator("get_execution_history").paginate(executionArn=arn)
    events: list[Any] = [event for page in pages for event in page["events"]]
    return Counter(event["stateEnteredEventDetails"]["name"] for event in events if event["type"].endswith(ENTERED))
