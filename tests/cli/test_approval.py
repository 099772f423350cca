"""`batchdrop approve`, and what `batchdrop run` says and asks about a sample."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from batchdrop.adapters.aws.stepfunctions import StepFunctionsTaskTokens
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.job_control import NoSuchJobError, cancel
from batchdrop.cli.job.job_view import JobView, Stage
from batchdrop.cli.job.watching import _announcing_approval
from batchdrop.cli.main import app
from batchdrop.cli.run.approval import approve, as_text, cost_words, decide_on_sample
from batchdrop.job.await_approval import await_approval
from batchdrop.job.manifest import UploadRecord
from batchdrop.local.service_processes import free_port
from tests.approval_fakes import FakeApprovals
from tests.cli.fake_bucket import FakeBucket
from tests.fakes import START, FakeClock, FakeLedger

JOB = "20261122T120000-0123456789"
RECORD = UploadRecord(JOB, "bucket", "inbox/r/f.csv", "etag", 1, START)
REPORT: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "output": f"results/r/f/{JOB}/sample.csv",
    "tally": {"rows": 2, "answered": 2, "unusable": 0, "failed": 0, "rejected": 0},
    "spent_usd": 0.002,
    "projected": {"low_usd": 9.5, "expected_usd": 10.25, "high_usd": 11},
    "rest": {"rows": 9_998, "requests": 9_990, "lane": "batch", "becomes": "wait", "reason": "it waits"},
}


class _Executions:
    """One execution, and the tokens that were rung."""

    class exceptions:  # noqa: N801 - as boto3's client has it
        class ExecutionDoesNotExist(Exception):
            pass

        class InvalidArn(Exception):
            pass

        class TaskTimedOut(Exception):
            pass

        InvalidToken = TaskDoesNotExist = TaskTimedOut

    def __init__(self, status: str) -> None:
        self.status = status
        self.rung: list[str] = []

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - likewise
        if executionArn.rsplit(":", 1)[-1] != JOB:
            raise self.exceptions.ExecutionDoesNotExist
        input_ = msgspec.json.encode(RECORD).decode()
        return {"name": JOB, "executionArn": executionArn, "status": self.status, "startDate": START, "input": input_}

    def list_executions(self, **_asked: Any) -> dict[str, Any]:
        return {"executions": []}

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803 - likewise
        if self.status != "RUNNING":
            raise self.exceptions.TaskTimedOut
        self.rung.append(taskToken)


class World:
    """A deployed application with one job."""

    def __init__(self, status: str = "RUNNING", *, waits: bool = True) -> None:
        self.executions = _Executions(status)
        self.ledger, self.approvals = FakeLedger(), FakeApprovals()
        arn = "arn:aws:states:us-east-1:0:stateMachine:m"
        self.deployment = Deployment(self.executions, cast("Any", self.ledger), cast("Any", self.approvals), arn)
        self.deployment.__dict__["bucket"] = FakeBucket()  # in place of the property
        if waits:
            tokens = StepFunctionsTaskTokens(cast("Any", self.executions))
            parts: dict[str, Any] = {"approvals": self.approvals, "ledger": self.ledger, "tokens": tokens}
            await_approval(JOB, "token", clock=FakeClock(), **parts)


def test_a_job_that_waits_is_approved() -> None:
    """It is woken, and the user is told; as JSON, too."""
    world = World()
    approval = approve(world.deployment, JOB)
    assert world.executions.rung == ["token"]
    assert world.approvals.approved(JOB) is not None
    assert as_text(approval).endswith("UTC, and the other rows are sent now")
    assert asdict(approval) == {
        "job": JOB,
        "approved_at": approval.approved_at,
        "is_heard": True,
        "status": "RUNNING",
    }


def test_a_job_that_has_ended_is_to_be_resumed() -> None:
    """The approval stays; nobody hears of it now."""
    world = World("FAILED")
    approval = approve(world.deployment, JOB)
    assert world.approvals.approved(JOB) is not None
    assert f"`batchdrop resume {JOB}`" in as_text(approval)


@pytest.mark.parametrize(
    ("world", "job", "words"),
    [
        (World("SUCCEEDED"), JOB, "has succeeded"),
        (World(waits=False), JOB, "its sample is not answered"),
        (World("FAILED", waits=False), JOB, r"has ended \(failed\)"),
        (World(), "other", "job other does not exist"),
    ],
)
def test_what_cannot_be_approved(world: World, job: str, words: str) -> None:
    """Nobody approves what nobody has seen."""
    with pytest.raises(NoSuchJobError, match=words):
        approve(world.deployment, job)
    assert world.approvals.approved(job) is None


def test_a_cancel_ends_the_wait() -> None:
    """The halt is written and the task is woken; a second cancel wakes it if the first was cut off before."""
    world = World()
    cancel(world.deployment, JOB)
    assert world.ledger.halted(JOB) is not None
    assert "already" in cancel(world.deployment, JOB).message
    assert world.executions.rung == ["token", "token"]


def _fetched(folder: Path, **changes: Any) -> Path:
    (folder / "sample.json").write_text(json.dumps({**REPORT, **changes}), encoding="utf-8")
    (folder / "sample.csv").write_text("x,answer,_status,_error\na,good,answered,\nb,bad,answered,\n", encoding="utf-8")
    return folder


def _decided(world: World, folder: Path, **how: Any) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=100)
    decided = decide_on_sample(world.deployment, JOB, folder, console, **how)
    return decided, cast("io.StringIO", console.file).getvalue()


def test_a_sample_is_shown_with_its_cost(tmp_path: Path) -> None:
    """Rows with answers, counts, what is not sent yet, and the whole's cost with its band."""
    decided, shown = _decided(World(), _fetched(tmp_path), approves=True)
    assert decided
    assert "good" in shown
    assert "the sample: 2 rows = 2 answered + 0 unusable + 0 failed + 0 rejected" in shown
    assert "not sent yet: 9,998 rows (9,990 requests) in the batch lane" in shown
    assert "cost: $0.002000 so far; the whole file about $10.25 ($9.50 to $11.00, if its rows are like" in shown
    assert "the other rows are sent now" in shown


@pytest.mark.parametrize(("word", "goes_on"), [("y", True), ("n", False), ("", False)])
def test_a_terminal_gets_the_question(
    word: str,
    goes_on: bool,  # noqa: FBT001 - pytest passes it by name
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a yes goes on; anything else cancels."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{word}\n"))
    world = World()
    decided, _ = _decided(world, _fetched(tmp_path), approves=False, asks=True)
    assert decided == goes_on
    assert (world.approvals.approved(JOB) is not None) == goes_on
    assert (world.ledger.halted(JOB) is None) == goes_on


def test_a_pipe_gets_no_question(tmp_path: Path) -> None:
    """It ends after the sample, and says how to go on."""
    world = World()
    decided, shown = _decided(world, _fetched(tmp_path), approves=False)
    assert not decided
    assert world.ledger.halted(JOB) is not None
    assert "--yes" in shown
    assert "continue_under_usd" in shown


def test_a_cost_that_is_not_known_is_not_nothing() -> None:
    """Neither without a price, nor without an answer."""
    assert cost_words({**REPORT, "spent_usd": None}) == "cost: unknown, because claude-haiku-5-5 has no known price"
    assert cost_words({**REPORT, "projected": None}).endswith("the cost of the whole file is unknown")


def test_no_such_stack() -> None:
    """As cancel and resume."""
    result = CliRunner().invoke(app, ["approve", "job-1", "--endpoint-url", f"http://127.0.0.1:{free_port()}"])
    assert result.exit_code == 1
    assert "nothing answers at" in result.output


def test_watching_says_how_to_approve() -> None:
    """Once, however often one looks; the following goes on."""
    shown = io.StringIO()
    output = cast("CommandOutput", SimpleNamespace(console=Console(file=shown, width=200)))
    look = _announcing_approval(lambda: JobView(JOB, stage=Stage.UNAPPROVED), f"batchdrop approve {JOB}", output)
    assert [look().stage, look().stage] == [Stage.UNAPPROVED] * 2
    assert shown.getvalue() == f"the sample is answered; to send the other rows: batchdrop approve {JOB}\n"
