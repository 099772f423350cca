"""Count the AWS and API requests of a job on the embedded stack.

ministack logs a line for each request of a function, and each function logs its invocations. ministack keeps the
history of a job's own execution, but not of the Map's children, and with fewer events than AWS. So the states of the
job's execution are counted, and those of the children follow from the invocations.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchdrop.local.claude_api.testing import Emulator
from batchdrop.local.deploy import function_names
from batchdrop.local.stack import EmbeddedStack

PATIENCE = 1_500.0
REQUEST = re.compile(r"\b(GET|HEAD|PUT|POST|DELETE) (\S+) -> service=(\w+) ")
BILLED = re.compile(r"Billed Duration: (\d+) ms")
ENTERED = "StateEntered"


@dataclass(frozen=True)
class Counted:
    """The counts of one job. Functions have their names in the template.

    `states` are those of the job's own execution, `children` the number of the Map's executions. `requests` are
    by service and method, `sizes` the bytes of the job's objects by kind.
    """

    status: str
    seconds: float
    states: Counter[str]
    children: int
    invocations: Counter[str]
    billed_seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    peak_rss_mb: dict[str, float]
    requests: Counter[str]
    api_calls: dict[str, int]
    log_bytes: int
    sizes: dict[str, int]


def count(running: EmbeddedStack, recipe: str, name: str, file: Path) -> Counted:
    """Drop a file, wait for the end of its job, and count. Nothing else may use the stack meanwhile."""
    emulator, log = Emulator(running.claude_base_url), running.log_dir / "ministack.log"
    before, read_from, logged = emulator.call_summary()["by_endpoint"], log.stat().st_size, _logs(running)
    cpu = {one.function: one.cpu_seconds for one in running.function_stats()}
    began, key = time.monotonic(), f"inbox/{recipe}/{name}"
    running.clients.s3().put_object(Bucket=running.bucket, Key=key, Body=file.read_bytes())
    top = _ended(running, key)
    seconds = time.monotonic() - began
    requests = _requests(log, read_from)
    requests["s3 PUT"] -= 1  # the upload itself
    time.sleep(2)  # the supervisor samples five times a second, and ministack writes logs with a delay
    written = {one: text[len(logged.get(one, "")) :] for one, text in _logs(running).items()}
    return Counted(
        status=top["status"],
        seconds=round(seconds, 1),
        states=_entered(running, top["executionArn"]),
        children=len(_children(running, top["executionArn"])),
        invocations=+Counter({one: text.count("START RequestId") for one, text in written.items()}),
        billed_seconds={one: _billed(text) for one, text in written.items()},
        cpu_seconds={
            one.function: round(one.cpu_seconds - cpu.get(one.function, 0.0), 2) for one in running.function_stats()
        },
        peak_rss_mb={one.function: one.peak_rss_mb for one in running.function_stats()},
        requests=requests,
        api_calls=_calls(before, emulator.call_summary()["by_endpoint"]),
        log_bytes=sum(len(text.encode()) for text in written.values()),
        sizes=_sizes(running, top["name"]),
    )


def _calls(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    found = {one: sum(calls.values()) - sum(before.get(one, {}).values()) for one, calls in after.items()}
    return {one: calls for one, calls in found.items() if calls}


def _logs(running: EmbeddedStack) -> dict[str, str]:
    """Return each function's log so far, by its name in the template."""
    named = function_names(running.clients, running.options.stack_name)
    return {named[path.stem]: path.read_text() for path in running.write_function_logs() if path.stem in named}


def _billed(text: str) -> float:
    return sum(map(int, BILLED.findall(text))) / 1_000


def _sizes(running: EmbeddedStack, job_id: str) -> dict[str, int]:
    """Return the bytes of all objects below `jobs/<job_id>/`, by their folder and ending."""
    pages = running.clients.s3().get_paginator("list_objects_v2")
    found: Counter[str] = Counter()
    for page in pages.paginate(Bucket=running.bucket, Prefix=f"jobs/{job_id}/"):
        for one in page.get("Contents", []):
            *folder, file = one["Key"].split("/")[2:]
            found["/".join([*folder[:1], "*." + file.split(".", 1)[-1]])] += one["Size"]
    return dict(found)


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
