"""Save running jobs of an older version: run this file inside a checkout of that version.

cd CHECKOUT && PYTHONPATH=.:layers/core python .../tests/upgrade/take_snapshots.py .../tests/upgrade/0.1.0

The older version's own fault harness runs each job on its own functions, state machine and emulator, in virtual time.
At a given second everything is saved that outlives a deploy: the bucket, the table, where each execution stands, the
messages in the queue, and the API's Message Batches and bill.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from tests.faults.api import START, Claude
from tests.faults.asl import ROOT
from tests.faults.books import _custom_ids
from tests.faults.execution import Execution
from tests.faults.live_schedule import SMALL
from tests.faults.live_world import LiveWorld
from tests.faults.schedule import CREATE, Rates, Schedule, plain
from tests.faults.upload import event, files
from tests.faults.world import World

ERRORED_ONCE = "[[errored_once:api_error]]"
SIX = ("", "", ERRORED_ONCE, "", "", "")
LOST = {"kind": "accept_then_drop", "endpoint": CREATE}
LATE_IN_LIST = {"kind": "late_in_list", "seconds": 300.0, "times": -1}
NO_CREDIT = {"kind": "error_before_accept", "endpoint": "batches.*", "status": 402, "times": -1}

# Properties of our resources whose change makes CloudFormation create a new one.
REPLACING = (
    "AlarmName", "AttributeDefinitions", "BucketName", "DashboardName", "FifoQueue", "FunctionName", "KeySchema",
    "LogGroupName", "Name", "QueueName", "TableName", "TopicName", "Type",
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """A job, the API's faults, and the second at which it is saved."""

    schedule: Schedule
    at: float
    faults: tuple[dict[str, Any], ...] = ()


MOMENTS = {
    "splitting": Moment(plain(SIX, shard_rows=2, split_reserve=899.7), 0.8),
    "sending": Moment(plain(SIX, shard_rows=2, batch_seconds=600.0), 1.5),
    "polling": Moment(plain(SIX, shard_rows=2, batch_seconds=600.0), 300.0),
    "lost create": Moment(plain(SIX, shard_rows=3, batch_seconds=60.0), 100.0, (LOST, LATE_IN_LIST)),
    "second round": Moment(plain(SIX, shard_rows=3, batch_seconds=200.0, max_cost_usd=0.002), 330.0),
    "waiting for approval": Moment(plain(SIX, shard_rows=3, sample=2, approver_rest=4000.0), 1500.0),
    "no credit": Moment(plain(SIX, shard_rows=3), 900.0, (NO_CREDIT,)),
    "answering live": Moment(plain(SIX * 3, shard_rows=9, live=replace(SMALL, latency=10.0)), 30.0),
    "live, two workers killed": Moment(
        plain(SIX * 3, shard_rows=9, live=replace(SMALL, latency=10.0), rates=Rates(crash=0.02), seed=3), 60.0
    ),
}


class _Taken(Exception):
    """Ends a run: its snapshot is taken."""


def take(moment: Moment, claude: Claude) -> dict[str, Any]:
    """Run a job up to its moment; return what is saved."""
    schedule, found = moment.schedule, []
    world = (LiveWorld if schedule.live else World)(schedule, claude)
    bodies = _watched(world) if isinstance(world, LiveWorld) else []

    def snapshot() -> None:
        found.append(saved(world, bodies) | {"schedule": _of_schedule(schedule)})
        raise _Taken

    with world.sizes():
        world.objects.update(files(schedule))
        for fault in moment.faults:
            claude.lay_out(fault)
        world.scheduler.start("delivery", lambda: world.call_function("split_upload", event(schedule)))
        world.scheduler.start("snapshot", snapshot, delay=moment.at)
        try:
            world.scheduler.run()
        except _Taken:
            return found[0]
    raise AssertionError


def _of_schedule(schedule: Schedule) -> dict[str, Any]:
    """Return what a test has to know of the job."""
    live = schedule.live and asdict(schedule.live)
    return {"rows": schedule.rows, "shard_rows": schedule.shard_rows, "sample": schedule.sample, "live": live}


def _watched(world: LiveWorld) -> list[str]:
    """Return a list that gets the body of each message that the queue takes."""
    bodies: list[str] = []
    inner: Callable[..., None] = world.queue.take

    def take(body: str, **more: Any) -> None:
        bodies.append(body)
        inner(body, **more)

    world.queue.take = take  # type: ignore[method-assign]  # to watch it
    return bodies


def saved(world: World, bodies: list[str]) -> dict[str, Any]:
    """Return everything that outlives a deploy, as JSON."""
    typed = TypeSerializer().serialize
    now = world.scheduler.now
    [execution] = world.engine.executions.values()
    waiting = set(world.tasks._waiting) if isinstance(world, LiveWorld) else set()
    entries = world.claude.state.bill.entries(world.claude.state.clock.now())
    return {
        "now": now,
        "objects": {key: base64.b64encode(body).decode() for key, body in sorted(world.objects.items())},
        "items": [typed(item)["M"] for _, item in sorted(world.table.items.items())],
        "execution": _tree(execution),
        "messages": sorted({body for body in bodies if json.loads(body)["task_token"] in waiting}),
        "bells": sorted(world.bells._waiting),
        "message_batches": [
            {
                "id": batch.id,
                "created_at": batch.created_at - START.timestamp(),
                "body": _body_key(world, _custom_ids(batch)),
            }
            for batch in world.claude.state.batches.all()
        ],
        "live_answers": sum(1 for entry in entries if entry.lane == "live"),
    }


def _body_key(world: World, custom_ids: list[str]) -> str:
    """Return the key of the create body with these requests; the emulator deletes its own copy."""
    bodies = {key: body for key, body in world.objects.items() if key.endswith("requests.json")}
    ids = {key: [one["custom_id"] for one in json.loads(body)["requests"]] for key, body in bodies.items()}
    [found] = [key for key in ids if ids[key] == custom_ids]
    return found


def _tree(execution: Execution) -> dict[str, Any]:
    return {
        "name": execution.name,
        "state": execution.state,
        "data": execution.data,
        "context": execution.context,
        "status": execution.status,
        "error": execution.error,
        "cause": execution.cause,
        "children": {str(index): _tree(child) for index, child in execution.children.items()},
    }


def main() -> None:
    """Save each moment in a file of its own, and the state machine beside them."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    claude = Claude()
    write = partial(json.dumps, indent=1, ensure_ascii=False, sort_keys=True)
    for name, moment in MOMENTS.items():
        text = write(take(moment, claude))
        (folder / f"{name.replace(',', '').replace(' ', '-')}.json").write_text(text + "\n", encoding="utf-8")
    machine = (ROOT / "statemachines" / "job.asl.yaml").read_text(encoding="utf-8")
    (folder / "job.asl.yaml").write_text(machine, encoding="utf-8")
    local = "local" if find_spec("local") else "batchdrop.local"  # version 0.1.0 had it at the top
    resources = import_module(f"{local}.sam_template").read_template(ROOT / "template.yaml")["Resources"]
    kept = {name: _names_of(resource) for name, resource in resources.items()}
    (folder / "resources.json").write_text(write(kept) + "\n", encoding="utf-8")
    claude.state.close()


def _names_of(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource's type, and the properties whose change makes CloudFormation replace it."""
    properties = resource.get("Properties", {})
    return {"Type": resource["Type"]} | {name: properties[name] for name in REPLACING if name in properties}


if __name__ == "__main__":
    main()
