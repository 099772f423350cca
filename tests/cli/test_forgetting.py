"""`batchdrop forget` on AWS's services, as moto has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto.stepfunctions.models import stepfunctions_backends
from typer.testing import CliRunner, Result

from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.cli.main import app
from batchdrop.job.submission import Submission
from tests.aws import REGION, client
from tests.cli.deployed import ACCOUNT, BUCKET, MACHINE, Deployed, upload_of
from tests.fakes import START
from tests.jobs import JOB

RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nlane: batch\nremember: 90d\nsubject: who\n"
FILE = b"who,x\nann,row 0 of ann\nbob,row 1 of bob\nann,row 2 of ann\n"
RESULTS = f"results/r/f/{JOB}/"


def run(*words: str | Path) -> Result:
    """Run the command in an empty OUT."""
    return CliRunner().invoke(app, ["forget", *map(str, words)], catch_exceptions=False)


def report(*words: str | Path) -> dict[str, Any]:
    """Return the report as JSON."""
    result = run(*words, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def versions() -> dict[str, list[bytes]]:
    """Return all versions of all objects."""
    found: dict[str, list[bytes]] = {}
    for one in client("s3").list_object_versions(Bucket=BUCKET).get("Versions", []):
        body = client("s3").get_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
        found.setdefault(one["Key"], []).append(body)
    return found


def places(text: bytes) -> list[str]:
    """Return the keys of the objects that have a text in some version."""
    return sorted(key for key, bodies in versions().items() if any(text in body for body in bodies))


@pytest.fixture
def ended(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployed:
    """A job of a recipe with `remember` that ended, in a bucket with versions."""
    monkeypatch.chdir(tmp_path)
    client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    world = deployed.job(FILE, recipe=RECIPE)
    for name, content in world.store.objects.items():
        deployed.put(name, content)  # each has an old version
    arn = deployed.start(msgspec.structs.replace(world.upload, bucket=BUCKET), "SUCCEEDED")
    stepfunctions_backends[ACCOUNT][REGION].describe_execution(arn).start_date = START.replace(tzinfo=None)
    return deployed


def test_without_yes_nothing_is_removed(ended: Deployed) -> None:
    """The command says what would go."""
    before = versions()
    result = run("--recipe", "r", "--subject", "ann")
    assert (result.exit_code, versions()) == (0, before)
    assert f"{RESULTS}output.csv" in result.stdout
    assert "2 rows" in result.stdout
    assert "2 answers" in result.stdout
    assert "nothing was removed yet" in result.stdout
    assert ended


@pytest.mark.usefixtures("ended")
def test_a_subject_is_gone_everywhere() -> None:
    """In all versions of all objects; the others' rows stay, with their numbers."""
    result = run("--recipe", "r", "--subject", " ann ", "--uploads", "--yes")
    assert (result.exit_code, places(b"of ann")) == (0, [])
    assert "complete: all versions" in result.stdout
    [output] = versions()[f"{RESULTS}output.csv"]
    [header, first, second, third] = output.decode().splitlines()
    assert header == "who,x,answer,_status,_error"
    assert first == third == ",,,skipped,forgotten"
    assert second.startswith("bob,row 1 of bob,")
    again = report("--recipe", "r", "--subject", "ann", "--uploads", "--yes")
    assert (again["removed"], again["is_done"]) == ([], True)


@pytest.mark.usefixtures("ended")
def test_the_dropped_file_stays_unless_it_is_named() -> None:
    """It has other rows, too: the report says that it is left, each time."""
    for _ in range(2):
        result = run("--recipe", "r", "--subject", "ann", "--yes")
        assert (result.exit_code, places(b"of ann")) == (3, ["inbox/r/f.csv"])
        assert "left: inbox/r/f.csv: the dropped file has such rows" in result.stdout


@pytest.mark.usefixtures("ended")
def test_rows_of_a_file() -> None:
    """The rows' answers go from the store by their keys; the answers of other rows stay."""
    result = run(JOB[:12], "--rows", "2", "--uploads", "--yes")
    assert (result.exit_code, places(b"row 1 of bob")) == (0, [])
    assert f"{RESULTS}output.csv" in places(b"row 0 of ann")
    assert report(JOB, "--rows", "2", "--yes")["is_done"]
    assert report(JOB, "--rows", "1", "--yes")["removed"][0]["place"] == f"{RESULTS}output.csv"


@pytest.mark.parametrize("named", [JOB, "inbox/r/f.csv"])
@pytest.mark.usefixtures("ended")
def test_a_file(named: str) -> None:
    """Its upload, files, outputs and answers go. The recipe stays."""
    assert run(named, "--yes").exit_code == 0
    assert places(b"row ") == []
    left = {key for key in versions() if not key.startswith("answers/")}
    assert left == {"recipes/r.yaml"}


@pytest.mark.usefixtures("ended")
def test_a_recipe() -> None:
    """Everything but the question itself goes."""
    assert run("--recipe", "r", "--yes").exit_code == 0
    assert {*versions()} == {"recipes/r.yaml"}


def test_a_recipe_in_a_folder_of_another_stays(ended: Deployed) -> None:
    """`r/s` is another recipe than `r`."""
    others = [
        "answers/r/s/head.json",
        "inbox/r/s/f.csv",
        "results/r/s/f/20261122T120000-0123456789/output.csv",
        "answers/rs/head.json",
    ]
    for key in others:
        ended.put(key, b"{}")
    assert run("--recipe", "r", "--yes").exit_code == 0
    assert {*versions()} == {"recipes/r.yaml", *others}


def test_a_running_job_is_named(ended: Deployed) -> None:
    """What it may have is left; the answers are not used from now on. After its end, the same command completes it."""
    newer = "20261122T130000-0123456789"
    arn = ended.start(upload_of(newer))
    first = report("--recipe", "r", "--subject", "ann", "--uploads", "--yes")
    assert [newer in one for one in first["left"]].count(True) == 1
    assert BucketAnswerStore(ended.found().store).forgotten("r").needs_answers
    assert {key for key in places(b"of ann") if not key.startswith("answers/r/runs/")} == {"inbox/r/f.csv"}
    assert [one for one in first["left"] if one.startswith("inbox/r/f.csv: a job that runs")]
    ended.end(arn, "SUCCEEDED")
    assert report("--recipe", "r", "--subject", "ann", "--uploads", "--yes")["is_done"]
    assert places(b"of ann") == []


def test_paid_answers_at_the_api_come_first(ended: Deployed) -> None:
    """A red job's answers are paid, also those of other rows, and its files are needed to collect them."""
    now = datetime.now(UTC)
    intent = Submission(JOB, 1, 0, 5, "a", now, now)
    ended.ledger.begin(intent)
    ended.ledger.accept(intent, "msgbatch_9")
    first = report("--recipe", "r", "--subject", "ann", "--uploads", "--yes")
    assert [one for one in first["left"] if f"batchdrop resume {JOB}" in one]
    assert f"{RESULTS}output.csv" in places(b"row 0 of ann")
    ended.ledger.collected(JOB, 1, 0, now)
    assert report("--recipe", "r", "--subject", "ann", "--uploads", "--yes")["is_done"]


def test_a_forgotten_job_is_not_sent_again(ended: Deployed) -> None:
    """Without its files, a resume would split the file again and send all rows; a retry needs them, too."""
    run("--recipe", "r", "--subject", "ann", "--yes")
    execution = stepfunctions_backends[ACCOUNT][REGION].describe_execution(ended.found().execution_arn(JOB))
    execution.status = "FAILED"
    for command in ("resume", "retry"):
        result = CliRunner().invoke(app, [command, JOB], catch_exceptions=False)
        assert (result.exit_code, "Error: " in result.stderr) == (1, True)
        assert "files" in result.stderr
    assert len(client("stepfunctions").list_executions(stateMachineArn=MACHINE)["executions"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name one file"),
        ([JOB, "--recipe", "r"], "name one file"),
        ([JOB, "--subject", "ann"], "--subject needs --recipe"),
        (["--recipe", "r", "--rows", "1"], "--rows needs the file"),
        (["--recipe", "r", "--unnamed"], "belong to --subject"),
        (["--recipe", "r", "--local", "--stack", "s"], "either --local or a stack"),
    ],
)
def test_wrong_usage(words: list[str], message: str) -> None:
    """Nothing is done."""
    result = run(*words)
    assert (result.exit_code, message in result.stderr) == (2, True)


@pytest.mark.usefixtures("ended")
def test_what_does_not_exist() -> None:
    """The message says what to name instead."""
    unknown = run("inbox/r/other.csv")
    assert (unknown.exit_code, "no job of this file is left" in unknown.stderr) == (1, True)
    nobody = run("--recipe", "q", "--subject", "ann")
    assert (nobody.exit_code, "Give --column" in nobody.stderr) == (1, True)
