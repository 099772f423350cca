"""What an engineer on call reads in `show`: the cause, the command, what is not billed again, and the history."""

from __future__ import annotations

import json

import msgspec
from typer.testing import CliRunner

from batchdrop.cli.job.jobs import find_job
from batchdrop.cli.main import app
from tests.cli.deployed import BUCKET, Deployed
from tests.fakes import FakeBatchApi, errored, succeeded
from tests.jobs import JOB

RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nlane: batch\n"
CAUSE = json.dumps({"errorType": "JobFailed", "errorMessage": "AccountTrouble: HTTP 402: add credit"})


def _shown() -> str:
    result = CliRunner().invoke(app, ["show", JOB], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def _failed_job(deployed: Deployed) -> None:
    api = FakeBatchApi(
        result_of=lambda request: (
            errored("billing_error", "add credit")
            if "row 1" in request["params"]["messages"][0]["content"]
            else succeeded("yes")
        )
    )
    world = deployed.job(b"x\nrow 0\nrow 1\nrow 2\n", recipe=RECIPE, api=api)
    upload = msgspec.structs.replace(world.upload, bucket=BUCKET)
    deployed.start(upload, "FAILED", error="JobFailed", cause=CAUSE)


def test_cause_command_and_what_is_not_billed_again(deployed: Deployed) -> None:
    """All three are on the first screen."""
    _failed_job(deployed)
    said = _shown()
    assert "AccountTrouble" in said
    assert "kept      2 answers are kept and not billed again" in said
    assert f"continue it     batchdrop resume {JOB} --stack batchdrop" in said
    watched = CliRunner().invoke(app, ["watch", JOB], catch_exceptions=False).stdout
    assert f"continue it     batchdrop resume {JOB} --stack batchdrop" in watched


def test_a_job_with_too_few_answers_is_retried(deployed: Deployed) -> None:
    """All its rows have ended, so a resume would send nothing: `retry` is named alone."""
    refused = FakeBatchApi(result_of=lambda _request: succeeded("no", stop_reason="refusal"))
    world = deployed.job(b"x\nrow 0\nrow 1\n", recipe=RECIPE, api=refused)
    deployed.start(msgspec.structs.replace(world.upload, bucket=BUCKET), "FAILED", error="JobFailed", cause=CAUSE)
    said = _shown()
    assert "NothingAnswered" in said
    assert "kept      2 answers are kept and not billed again" in said
    assert f"batchdrop retry {JOB} --stack batchdrop" in said
    assert "batchdrop resume" not in said
    watched = CliRunner().invoke(app, ["watch", JOB], catch_exceptions=False).stdout
    assert f"send them again batchdrop retry {JOB} --stack batchdrop" in watched
    assert "batchdrop resume" not in watched


def test_the_timeline_keeps_its_history(deployed: Deployed) -> None:
    """A resume lifts the halt; the first execution's end still says why."""
    _failed_job(deployed)
    deployed.ledger.lift(JOB)
    resumed = msgspec.structs.replace(find_job(deployed.found(), JOB).record, resumes=1)
    deployed.start(resumed, "SUCCEEDED")
    said = _shown()
    assert "execution ended: failed: AccountTrouble: HTTP 402: add credit" in said
    assert f"resumed as {JOB}-r1" in said
