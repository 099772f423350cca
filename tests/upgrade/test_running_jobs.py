"""A job that version 0.1.0 began ends correctly with this version's functions, wherever the upgrade met it.

Step Functions lets a running execution, and its redrives, keep the definition that it started with. So the old state
machine calls the new functions. A resume starts the new one.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from rich.console import Console

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.failures import Failures
from batchdrop.cli.job.jobs import JobStatus
from batchdrop.cli.job.showing import Shown, print_shown
from batchdrop.job.approve_job import approve_job
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.local.sam_template import read_template
from tests.approval_fakes import FakeApprovals
from tests.fakes import START, FakeLedger
from tests.faults.asl import ROOT
from tests.faults.books import StateBooks
from tests.faults.execution import Execution
from tests.faults.live_world import LiveWorld
from tests.faults.run import claude
from tests.faults.schedule import Rates
from tests.faults.world import World
from tests.upgrade.saved import FOLDER, Saved, saved_job, upgraded

BATCH_LANE = ("splitting", "sending", "polling", "lost-create", "second-round")
LIVE_LANE = ("answering-live", "live-two-workers-killed")
STORMY = Rates(throttle=0.03, slow_down=0.03, crash=0.01)
LONGEST = 30 * 3600.0


@pytest.mark.parametrize("name", BATCH_LANE)
def test_a_job_in_the_batch_lane_ends_with_each_row_paid_once(name: str) -> None:
    """Old intents, claims, budgets and states are read; a lost create is found, not sent again."""
    world = upgraded(saved_job(name), claude())
    assert _ended(world).status == "SUCCEEDED"
    _check_each_row_once(world)


@pytest.mark.parametrize("name", LIVE_LANE)
def test_a_job_in_the_live_lane_sends_no_row_that_is_flushed(name: str) -> None:
    """Old messages, leases and permits are read. Only what a killed worker had not flushed is sent again."""
    saved = saved_job(name)
    flushed = {_row(saved, line) for line in _flushed(saved)}
    world = upgraded(saved, claude())
    assert isinstance(world, LiveWorld)
    assert _ended(world).status == "SUCCEEDED"
    assert not flushed & {call.row for call in world.journal.calls}
    paid = saved["live_answers"] + sum(call.usd is not None for call in world.journal.calls)
    lost_with_their_workers = saved["live_answers"] - len(flushed)
    assert paid == len(saved["schedule"]["rows"]) + lost_with_their_workers
    assert Counter(row["_status"] for row in _output(world)) == {"answered": len(saved["schedule"]["rows"])}


def test_a_sample_that_waits_is_approved_after_the_upgrade() -> None:
    """The task's token is in the old ledger; the approval wakes the old execution."""
    world = upgraded(saved_job("waiting-for-approval"), claude())

    def approve() -> None:
        job_id = next(iter(world.engine.executions))
        approve_job(job_id, world.time(), approvals=world.approvals(), tokens=world.task_tokens())

    world.scheduler.start("approver", approve, delay=600.0)
    assert _ended(world).status == "SUCCEEDED"
    _check_each_row_once(world)


@pytest.mark.parametrize("is_redriven", [False, True])
def test_a_job_that_ended_red_goes_on_after_the_upgrade(*, is_redriven: bool) -> None:
    """A resume runs the new state machine on the old bucket and ledger; a redrive runs the old one."""
    world = upgraded(saved_job("no-credit"), claude())
    [execution] = world.engine.executions.values()
    go_on = (lambda: world.engine.redrive(execution)) if is_redriven else (lambda: _resume(world, execution))
    world.scheduler.start("user", go_on)
    _run(world)
    assert _newest(world).status == "SUCCEEDED"
    _check_each_row_once(world)


@pytest.mark.parametrize("name", BATCH_LANE)
def test_faults_of_aws_after_the_upgrade_cost_nothing(name: str) -> None:
    """The old definition does not know AwsUnavailable, so a shard may end red. A resume ends the job."""
    resumed = 0
    for seed in range(6):
        world = upgraded(saved_job(name), claude(), rates=STORMY, seed=seed)
        _run(world)
        if _newest(world).status != "SUCCEEDED":
            resumed += 1
            world.storm.calm()
            world.scheduler.start("user", partial(_resume, world, _newest(world)))
            _run(world)
        assert _newest(world).status == "SUCCEEDED", seed
        _check_each_row_once(world)
    assert resumed, "no seed reached what this test is for"


def test_the_summary_of_an_older_version_is_shown() -> None:
    """Fields that it lacks count as nothing."""
    [body] = [body for key, body in _objects(saved_job("no-credit")).items() if key.endswith("/summary.json")]
    text = io.StringIO()
    shown = Shown("job", JobStatus.FAILED, "s3://b/k", 6, 2, ["job"], "", [], Failures(), json.loads(body))
    deployment = Deployment(None, FakeLedger(), FakeApprovals(), "")
    print_shown(shown, deployment, Console(file=text, width=200))
    assert "0 answered + 0 unusable + 6 failed + 0 rejected" in text.getvalue()


def test_no_resource_is_replaced() -> None:
    """CloudFormation keeps the bucket, the ledger, the queue and all names of an older stack."""
    old = json.loads((FOLDER / "resources.json").read_text(encoding="utf-8"))
    new = read_template(ROOT / "template.yaml")["Resources"]
    for name, kept in old.items():
        properties = {"Type": new[name]["Type"], **new[name].get("Properties", {})}
        assert {key: properties.get(key) for key in kept} == kept, name


def test_every_saved_job_is_tried() -> None:
    """A new snapshot needs a test."""
    names = {path.stem for path in FOLDER.glob("*.json")} - {"resources"}
    assert names == {*BATCH_LANE, *LIVE_LANE, "waiting-for-approval", "no-credit"}


def _resume(world: World, execution: Execution) -> None:
    upload = msgspec.convert(execution.context["Execution"]["Input"], UploadRecord)
    now = START + timedelta(seconds=world.scheduler.now)
    resume_job(upload, ledger=world.own_ledger, jobs=world, now=now)


def _newest(world: World) -> Execution:
    return [*world.engine.executions.values()][-1]


def _run(world: World) -> None:
    with world.sizes():
        world.scheduler.run()


def _ended(world: World) -> Execution:
    """Let the saved execution run to its end."""
    _run(world)
    assert world.scheduler.now < LONGEST
    return _newest(world)


def _check_each_row_once(world: World) -> None:
    """Every row is billed once and answered in the output; no Message Batch is left unclaimed."""
    rows = len(world.schedule.rows)
    world.scheduler.now += LONGEST
    charges = Counter(charge.custom_id for charge in StateBooks(world.claude.state).charges())
    assert (charges.total(), len(charges)) == (rows, rows)
    output = _output(world)
    assert [row["id"] for row in output] == [str(number) for number in range(rows)]
    assert {row["_status"] for row in output} == {"answered"}
    claims = {key[0].removeprefix("batch#") for key in world.table.items if key[0].startswith("batch#")}
    assert claims == {batch.id for batch in StateBooks(world.claude.state).batches()}


def _output(world: World) -> list[dict[str, str]]:
    [body] = [body for key, body in world.objects.items() if key.endswith("/output.csv")]
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def _objects(saved: Saved) -> dict[str, bytes]:
    return {key: base64.b64decode(body) for key, body in saved["objects"].items()}


def _flushed(saved: Saved) -> list[Any]:
    bodies = [body for key, body in _objects(saved).items() if ".live/" in key]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def _row(saved: Saved, line: Any) -> int:
    shard, index = line["custom_id"].rsplit("-", 2)[1:]
    return int(shard) * int(saved["schedule"]["shard_rows"]) + int(index)
