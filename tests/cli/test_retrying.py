"""`batchdrop retry` and `drop --into` on AWS's services, as moto has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto.stepfunctions.models import stepfunctions_backends
from typer.testing import CliRunner, Result

from batchdrop.cli.job.jobs import find_job
from batchdrop.cli.main import app
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.retry import read_order
from tests.aws import REGION, client
from tests.cli.deployed import ACCOUNT, BUCKET, Deployed
from tests.fakes import START, FakeBatchApi, succeeded
from tests.jobs import JOB

TYPED = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nlane: batch\nanswer: {label: {enum: [good, bad]}}\n"
VERSION = f"{JOB}-v2"


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)


def _result_of(request: dict[str, Any]) -> dict[str, Any]:
    is_bad = "row 1" in request["params"]["messages"][0]["content"]
    return succeeded("?" if is_bad else '{"label": "good"}')


@pytest.fixture
def ended(deployed: Deployed) -> Deployed:
    """A job that ended with one invalid answer, in row 2."""
    world = deployed.job(b"x\nrow 0\nrow 1\n", recipe=TYPED, api=FakeBatchApi(result_of=_result_of))
    arn = deployed.start(msgspec.structs.replace(world.upload, bucket=BUCKET), "SUCCEEDED")
    stepfunctions_backends[ACCOUNT][REGION].describe_execution(arn).start_date = START.replace(tzinfo=None)
    return deployed


def _executions() -> dict[str, Any]:
    machine = client("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    return {one["name"]: one for one in client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]}


def test_a_retry_starts_the_next_version(ended: Deployed) -> None:
    """Its execution has the job's id and the version; its order says what is sent."""
    result = _run("retry", JOB, "--status", "invalid")
    assert (result.exit_code, result.stdout) == (0, f"1 row of job {JOB} is sent again as {VERSION}\n")
    assert VERSION in _executions()
    order = read_order(ended.found().store, VERSION)
    assert order is not None
    assert order.rows == 1
    [line] = ended.found().store.read(order.record.rows_key).splitlines()
    assert json.loads(line)["_row"] == 2


@pytest.mark.usefixtures("ended")
def test_a_repeated_command_is_one_retry(tmp_path: Path) -> None:
    """The same wish finds the version that it started; another one waits."""
    _run("retry", JOB, "--status", "invalid")
    again = _run("retry", JOB, "--status", "invalid")
    assert again.stdout == f"{VERSION} was started by an earlier retry of the same rows; nothing more is sent\n"
    fixed = tmp_path / "fixed.yaml"
    fixed.write_text(TYPED.replace("ask", "rate"), encoding="utf-8")
    other = _run("retry", JOB, "--recipe", fixed)
    assert (other.exit_code, [*_executions()].count(VERSION)) == (1, 1)
    assert f"another retry makes {VERSION}" in other.stderr


def test_a_command_that_was_killed_before_the_start(ended: Deployed) -> None:
    """The order is written, the execution is not: the next command starts it, also one with another wish."""
    _run("retry", JOB, "--status", "invalid")
    machine = stepfunctions_backends[ACCOUNT][REGION].state_machines[0]
    machine.executions = [one for one in machine.executions if one.name != VERSION]
    assert ended.found().store.exists(JobKeys(VERSION).retry)
    other = _run("retry", JOB, "--rows", "1")
    assert other.exit_code == 1
    assert VERSION in _executions()


def test_lines_of_failed_jsonl_are_merged(ended: Deployed, tmp_path: Path) -> None:
    """`drop failed.jsonl --into JOB` sends the user's own text of these rows."""
    failed = tmp_path / "failed.jsonl"
    failed.write_text('{"x": "better", "_row": 2, "_status": "invalid", "_error": "?"}\n', encoding="utf-8")
    result = _run("drop", failed, "--into", JOB, "--json")
    assert json.loads(result.stdout)["job_id"] == VERSION
    order = read_order(ended.found().store, VERSION)
    assert order is not None
    assert json.loads(ended.found().store.read(order.record.rows_key))["x"] == "better"


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--rows", "1"), 1, "row 1. Such a row is answered already"),
        (("--rows", "x"), 2, "--rows: 'x' must be a row's number or a range"),
        (("--rows", "1", "--status", "invalid"), 2, "use either --status or --rows"),
        (("--status", "refusal"), 1, "has no rows of status refusal; failed.jsonl has: invalid"),
        (("--recipe", "none.yaml"), 2, "file none.yaml does not exist"),
    ],
)
def test_what_cannot_be_retried(words: tuple[str, ...], code: int, message: str) -> None:
    """Each mistake says what is wrong and what to do."""
    result = _run("retry", JOB, *words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr


def test_a_job_that_was_not_closed(ended: Deployed) -> None:
    """An execution that was stopped may have open requests, so the job is resumed first."""
    execution = stepfunctions_backends[ACCOUNT][REGION].describe_execution(_executions()[JOB]["executionArn"])
    execution.status = "ABORTED"
    result = _run("retry", JOB)
    assert result.exit_code == 1
    assert "was not closed" in result.stderr
    assert f"resume {JOB}" in result.stderr


def test_resume_keeps_off_an_older_version(ended: Deployed) -> None:
    """It would send rows that the retry sends."""
    _run("retry", JOB)
    ended.end(_executions()[JOB]["executionArn"], "FAILED", error="JobFailed")
    result = _run("resume", JOB)
    assert result.exit_code == 1
    assert f"resume or retry {VERSION} instead" in result.stderr


@pytest.mark.usefixtures("ended")
def test_a_start_of_the_id_means_the_newest_version() -> None:
    """People give the job, and mean what it is now."""
    _run("retry", JOB)
    assert json.loads(_run("show", JOB[-10:-6], "--json").stdout)["job_id"] == VERSION


@pytest.fixture
def forgotten(ended: Deployed) -> Deployed:
    """A job that ended in an earlier `batchdrop up`, or more than 90 days ago: only the bucket knows it."""
    stepfunctions_backends[ACCOUNT][REGION].state_machines[0].executions.clear()
    return ended


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("job", [JOB, JOB[:15], ""])
def test_a_job_without_executions_is_retried(job: str) -> None:
    """Its manifest and its summary say what an execution would."""
    result = _run("retry", *([job] if job else []))
    assert (result.exit_code, VERSION in _executions()) == (0, True), result.output
    shown = _run("show", JOB)
    assert "succeeded" in shown.stdout.splitlines()[0]
    assert [one["job_id"] for one in json.loads(_run("ls", "--json").stdout)] == [VERSION, JOB]
    assert [one["job_id"] for one in json.loads(_run("ls", "--json", "--status", "succeeded").stdout)] == [JOB]
    watched = _run("watch", JOB)
    assert (watched.exit_code, "its execution is forgotten" in watched.stderr) == (1, True)


def test_a_job_that_went_on_in_a_later_up(ended: Deployed) -> None:
    """Only its later execution is known."""
    stepfunctions_backends[ACCOUNT][REGION].state_machines[0].executions.clear()
    world = ended.found().store
    upload = msgspec.json.decode(world.read(JobKeys(JOB).manifest))["upload"]
    record = msgspec.convert({**upload, "bucket": BUCKET, "resumes": 1}, UploadRecord)
    ended.start(record, "SUCCEEDED")
    assert find_job(ended.found(), JOB).newest.name == f"{JOB}-r1"
    assert find_job(ended.found(), "").job_id == JOB


def test_a_job_without_executions_and_without_an_end(forgotten: Deployed) -> None:
    """Its rows may be open at the API, so they are not sent again."""
    client("s3").delete_object(Bucket=BUCKET, Key=f"{find_job(forgotten.found(), JOB).results}summary.json")
    result = _run("retry", JOB)
    assert (result.exit_code, "was not closed" in result.stderr) == (1, True)
