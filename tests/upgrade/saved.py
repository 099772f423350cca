"""Jobs of an older version, as `take_snapshots.py` saved them, in the world of this version's fault harness."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from boto3.dynamodb.types import TypeDeserializer

from batchdrop.local.claude_api import state as emulator_state
from batchdrop.local.claude_api.batch_body import index_body
from batchdrop.local.claude_api.state import body_path
from tests.faults.api import Claude
from tests.faults.asl import State, check_machine
from tests.faults.execution import Execution, TaskError
from tests.faults.lambdas import approval_seconds
from tests.faults.live_world import LiveWorld
from tests.faults.schedule import CALM, Live, Rates, plain
from tests.faults.world import World

FOLDER = Path(__file__).parent / "0.1.0"
Saved = dict[str, Any]
SliceName = tuple[int, int, int]


@cache
def saved_job(name: str) -> Saved:
    """Return a saved job."""
    found: Saved = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@cache
def old_machine() -> State:
    """Return the older version's state machine: a running execution keeps the definition that it started with."""
    text = (FOLDER / "job.asl.yaml").read_text(encoding="utf-8").replace("arn:aws:states:", "arn:${Partition}:states:")
    loaded: State = yaml.safe_load(text)
    check_machine(loaded, {"Comment", "StartAt", "States"})
    return loaded


def upgraded(saved: Saved, claude: Claude, *, rates: Rates = CALM, seed: int = 0) -> World:
    """Return a world with this version's functions in which a saved job goes on where it stood."""
    given = saved["schedule"]
    live = given["live"] and Live(**given["live"])
    schedule = plain(
        tuple(given["rows"]),
        shard_rows=given["shard_rows"],
        sample=given["sample"],
        live=live,
        rates=rates,
        seed=seed,
    )
    world = _LiveUpgrade(schedule, claude) if schedule.live else _Upgrade(schedule, claude)
    world.saved = saved
    world.slices = {_slice_of(body): body for body in saved["messages"]}
    _take_over(world, saved)
    return world


class _Upgrade(World):
    """A job in the batch lane."""

    saved: Saved
    slices: dict[SliceName, str]

    def invoke_and_wait(self, function: str, payload: Any, token: str) -> Any:
        """Go on waiting for a token that the older version left; else as usual. Raises TaskError."""
        if not self.saved["bells"]:
            return super().invoke_and_wait(function, payload, token)
        old_token = self.saved["bells"][0]
        self.bells.hang(old_token)
        if not self.bells.wait(old_token, approval_seconds()):
            raise TaskError(error="States.Timeout", cause="")
        self.bells.take_down(old_token)
        return {}


class _LiveUpgrade(LiveWorld):
    """A job in the live lane."""

    saved: Saved
    slices: dict[SliceName, str]

    def send_and_wait(self, body: str, token: str, *, heartbeat: float, timeout: float) -> Any:
        """Go on waiting for a slice whose message the older version sent; else as usual. Raises TaskError."""
        body = self.slices.pop(_slice_of(body), body)
        return super().send_and_wait(body, json.loads(body)["task_token"], heartbeat=heartbeat, timeout=timeout)


def _slice_of(body: str) -> SliceName:
    given = json.loads(body)["slice"]
    return given["shard"], given["round"], given["slice"]


def _take_over(world: World, saved: Saved) -> None:
    """Put everything that outlived the deploy into the world, and let the executions go on."""
    world.scheduler.now = saved["now"]
    world.objects.update({key: base64.b64decode(body) for key, body in saved["objects"].items()})
    read = TypeDeserializer().deserialize
    for typed in saved["items"]:
        item = {name: read(value) for name, value in typed.items()}
        world.table.items[item["job"], item["fact"]] = item
    _create_again(world, saved["message_batches"])
    world.engine.take_over(_execution(saved["execution"], old_machine()))


def _create_again(world: World, batches: list[dict[str, Any]]) -> None:
    """Let the API have the Message Batches that the older version created, with their ids and times."""
    scheduler, state = world.scheduler, world.claude.state
    now = scheduler.now
    for one in sorted(batches, key=lambda one: float(one["created_at"])):
        scheduler.now = one["created_at"]
        folder = state.new_folder()
        body_path(folder).write_bytes(world.objects[one["body"]])
        index = index_body(body_path(folder), max_requests=100_000)
        with patch.object(emulator_state, "token", lambda _kind, _seed, batch_id=one["id"]: batch_id):
            state.accept(folder, index, "2026-10-21")
    scheduler.now = now


def _execution(saved: Saved, machine: State) -> Execution:
    """Return an execution with its children, where it stood."""
    execution = Execution(
        saved["name"],
        machine["States"],
        saved["state"],
        saved["data"],
        saved["context"],
        status=saved["status"],
        error=saved["error"],
        cause=saved["cause"],
    )
    for index, child in saved["children"].items():
        processor = machine["States"][saved["state"]]["ItemProcessor"]
        execution.children[int(index)] = _execution(child, processor)
    return execution
