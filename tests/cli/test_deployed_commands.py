"""`ls`, `show`, `fetch`, `watch`, `drop`, `doctor` on AWS's services, as moto has them: plain and as JSON."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from batchdrop.cli.console import CommandOutput
from batchdrop.cli.main import app
from batchdrop.cli.run.sending import Dropping, NotStartedError, await_job, drop
from batchdrop.job.job_files import write_manifest
from batchdrop.job.manifest import Manifest
from batchdrop.job.submission import Halt
from tests.aws import client
from tests.cli.deployed import BUCKET, Deployed, upload_of
from tests.fakes import START, FakeBatchApi, errored, succeeded
from tests.jobs import JOB, World

FATES = ("answered", "unusable", "failed")  # the columns of `ls`
ROWS = b"x,y\ngood,1\nbad,2\nshort\nworse,4\ncut,5\n"
RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }} {{ y }}'\nlane: batch\n"


def run(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [*words], catch_exceptions=False)


def document(*words: str) -> Any:
    """Run a command with --json; its document."""
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def _result_of(request: dict[str, Any]) -> dict[str, Any]:
    match request["params"]["messages"][0]["content"].split()[1]:
        case "bad":
            return errored("invalid_request_error", "messages: [bold]too bad[/bold]")
        case "worse":
            return errored("invalid_request_error", "messages: too bad")
        case "cut":
            return succeeded("half an", stop_reason="max_tokens")
        case word:
            return succeeded(f"re: {word}")


@pytest.fixture
def ended(deployed: Deployed) -> World:
    """A job that ended well, though a row was rejected, and two were refused by the API."""
    world = deployed.job(ROWS, recipe=RECIPE, api=FakeBatchApi(result_of=_result_of), rows=3)
    deployed.start(msgspec.structs.replace(world.upload, bucket=BUCKET), "SUCCEEDED")
    return world


@pytest.mark.usefixtures("ended")
def test_ls() -> None:
    """A line with everything, nothing cut in a pipe; the same as JSON."""
    head, line = run("ls").stdout.splitlines()
    assert head.split() == ["job", "status", "file", "recipe", "rows", *FATES, "started", "took", "cost"]
    assert line.split()[:8] == [JOB, "succeeded", "f.csv", "r", "5", "1", "1", "2"]
    assert "2026-11-22 12:00:00" in line
    (job,) = document("ls")
    assert (job["job_id"], job["status"]) == (JOB, "succeeded")
    assert [job[fate] for fate in (*FATES, "rejected")] == [1, 1, 2, 1]
    assert job["usd"] > 0


def test_ls_of_jobs_in_every_state(deployed: Deployed) -> None:
    """Only the summary tells canceled from failed; a job without any file is told by its execution."""
    states = {"1": "RUNNING", "2": "SUCCEEDED", "3": "FAILED", "4": "FAILED", "5": "ABORTED"}
    for number, status in states.items():
        deployed.start(upload_of(f"2026112{number}T120000-aaaaaaaaaa", f"inbox/r/{number}.csv"), status)
    summary = {"status": "canceled", "tally": {"rows": 3, "answered": 1}, "cost": {"usd": None}}
    deployed.put("results/r/4/20261124T120000-aaaaaaaaaa/summary.json", json.dumps(summary).encode())
    found = {job["file"]: job["status"] for job in document("ls")}
    assert found == {
        "1.csv": "running",
        "2.csv": "succeeded",
        "3.csv": "failed",
        "4.csv": "canceled",
        "5.csv": "stopped",
    }
    for status in set(found.values()):
        expected = [name for name, its in found.items() if its == status]
        assert [job["file"] for job in document("ls", "--status", status)] == expected
    assert len(document("ls", "--limit", "2")) == 2


def test_ls_of_a_resumed_job(deployed: Deployed) -> None:
    """One line, by its newest execution."""
    deployed.start(upload_of(), "FAILED")
    deployed.start(upload_of(resumes=1), "RUNNING")
    (job,) = document("ls")
    assert (job["status"], job["resumes"]) == ("running", 1)
    assert document("ls", "--status", "failed") == []
    assert "running (resumed 1×)" in run("ls").stdout


def test_ls_of_nothing(deployed: Deployed) -> None:
    """Stdout is empty, or an empty list; a status that is none is wrong usage."""
    result = run("ls")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "batchdrop drop" in result.stderr
    assert document("ls") == []
    wrong = run("ls", "--status", "done", "--json")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "running, succeeded, failed, canceled, stopped" in json.loads(wrong.stderr)["error"]["message"]


@pytest.mark.usefixtures("ended")
def test_show_tells_why_rows_failed() -> None:
    """Tally, cost, timeline in order, and each kind of failure with a row of it; markup in it is text."""
    shown = run("show", JOB[:10]).stdout
    assert "1 answered + 1 unusable + 2 failed + 1 rejected" in shown
    assert "1 max_tokens" in shown
    assert "2 × failed: invalid_request_error" in shown
    assert "x=bad, y=2" in shown
    assert "[bold]too bad[/bold]" in shown
    assert "row 3 (line 4): it has 1 cell, the header has 2 columns" in shown
    order = ("uploaded inbox/r/f.csv", "split: 5 rows, 2 shards", "round 1 submitted: 4 requests", "round 1 collected")
    places = [shown.index(words) for words in order]
    assert all(place > 0 for place in places)
    assert f"batchdrop show {JOB} --row N" in shown


@pytest.mark.usefixtures("ended")
def test_show_as_json() -> None:
    """The same, and the whole summary."""
    told = document("show", JOB)
    assert told["status"] == "succeeded"
    assert told["summary"]["tally"]["rows"] == 5
    kinds = {kind["kind"]: kind["rows"] for kind in told["failures"]["kinds"]}
    assert kinds["invalid_request_error"] == 2
    assert {event["what"].split(":")[0] for event in told["timeline"]} >= {"job started", "closed"}


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(
    ("row", "status", "words"),
    [
        (1, "answered", "re: good"),
        (2, "failed", "invalid_request_error: messages: [bold]too bad"),
        (3, "rejected", "it has 1 cell"),
        (5, "max_tokens", "half an"),
    ],
)
def test_one_row(row: int, status: str, words: str) -> None:
    """Its cells, its request and its results, and what became of it, in either shard."""
    shown = run("show", JOB, "--row", str(row)).stdout
    assert f"outcome  {status}" in shown
    assert words in shown
    told = document("show", JOB, "--row", str(row))
    assert (told["row"], told["shard"], told["status"]) == (row, (row - 1) // 3, status)
    if status != "rejected":
        assert told["rounds"][0]["request"]["messages"][0]["content"].endswith(str(row))
        assert told["rounds"][0]["result"]["type"] in {"succeeded", "errored"}
        assert told["cells"]["y"] == str(row)


def test_a_row_of_several_rounds(deployed: Deployed) -> None:
    """Each round has its request and its result; the last word counts."""
    api = FakeBatchApi(result_of=lambda request: errored("api_error", "try again"))
    world = deployed.job(b"x\na\n", api=api)
    deployed.start(world.upload, "SUCCEEDED")
    told = document("show", JOB, "--row", "1")
    assert [one["round"] for one in told["rounds"]] == [0, 1, 2]
    assert (told["status"], told["error"]) == ("failed", "api_error: try again")


def test_a_row_that_shares_an_answer(deployed: Deployed) -> None:
    """The row that was asked is named."""
    world = deployed.job(b"x\na\nb\na\n", recipe="model: m\nprompt: '{{ x }}'\ndedupe: true\n")
    deployed.start(world.upload, "SUCCEEDED")
    told = document("show", JOB, "--row", "3")
    assert (told["same_as"], told["status"]) == (1, "answered")
    assert "has the same request as row 1" in run("show", JOB, "--row", "3").stdout


def test_notes_on_the_file(deployed: Deployed) -> None:
    """What was found in it is said again when the job is shown, and in its report."""
    world = deployed.job(b"Sales of [May] & June\nnr,x\n1,a\n2,b\n")
    deployed.start(world.upload, "SUCCEEDED")
    told = "the header is in line 2, below 'Sales of [May] & June'"
    assert f"note      {told}" in run("show", JOB).stdout
    assert document("show", JOB)["summary"]["notes"] == [told]


def test_a_row_that_was_never_sent(deployed: Deployed) -> None:
    """The job's fault is the row's."""
    world = deployed.job(b"x\na\n")
    deployed.start(world.upload, "FAILED", error="JobFailed")
    for key in list(world.store.under("jobs/")):
        if "/answers/" in key:
            client("s3").delete_object(Bucket=BUCKET, Key=key)
    prefix = f"results/r/f/{JOB}/summary.json"
    summary = json.loads(world.store.read(prefix)) | {
        "faults": [{"type": "AccountTrouble", "message": "no key", "shard": None}]
    }
    deployed.put(prefix, json.dumps(summary).encode())
    assert document("show", JOB, "--row", "1")["error"] == "AccountTrouble: no key"


@pytest.mark.usefixtures("ended")
def test_a_row_that_is_not_there() -> None:
    """The message says how many there are."""
    result = run("show", JOB, "--row", "6")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: job {JOB} has 5 rows, so row 6 does not exist\n"


@pytest.mark.usefixtures("ended")
def test_fetch(tmp_path: Path) -> None:
    """Each file under its name; a second time nothing travels; one that was changed here comes again."""
    told = document("fetch", JOB, "--out", str(tmp_path))
    names = sorted(Path(one["path"]).name for one in told["files"])
    assert names == ["failed.jsonl", "output.csv", "report.html", "status.html", "summary.json"]
    assert sorted(path.name for path in (tmp_path / JOB).iterdir()) == names
    with (tmp_path / JOB / "output.csv").open(newline="") as output:
        assert len(list(csv.reader(output))) == 6
    (tmp_path / JOB / "failed.jsonl").write_text("spoilt")
    again = document("fetch", JOB, "--out", str(tmp_path))
    assert {Path(one["path"]).name: one["was_there"] for one in again["files"]} == {
        "failed.jsonl": False,
        "output.csv": True,
        "report.html": True,
        "status.html": True,
        "summary.json": True,
    }
    assert (tmp_path / JOB / "failed.jsonl").read_text() != "spoilt"
    assert f"output   {tmp_path / JOB / 'output.csv'}" in run("fetch", JOB, "--out", str(tmp_path)).stdout


def test_fetch_before_there_are_outputs(deployed: Deployed, tmp_path: Path) -> None:
    """A running job is to be watched, a stopped one resumed; no folder is made."""
    arn = deployed.start(upload_of())
    assert (
        "is running; its outputs come at its end: batchdrop watch" in run("fetch", JOB, "--out", str(tmp_path)).stderr
    )
    deployed.end(arn, "ABORTED")
    result = run("fetch", JOB, "--out", str(tmp_path))
    assert (result.exit_code, "batchdrop resume" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / JOB).exists()


@pytest.mark.usefixtures("ended")
def test_watch_of_an_ended_job() -> None:
    """Its last line, how it ended, and what to do next; as JSON one line."""
    shown = run("watch", JOB)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[0].startswith(f"{JOB}  succeeded  5 rows, shards: 2 collected")
    assert f"batchdrop fetch {JOB}" in shown.stdout
    (line,) = run("watch", JOB, "--json").stdout.splitlines()
    assert json.loads(line)["done"] == 5


def test_watch_of_a_failed_job(deployed: Deployed) -> None:
    """Exit code 1, and the cause."""
    deployed.start(upload_of(), "FAILED", error="States.Runtime", cause="no such state")
    result = run("watch", JOB)
    assert result.exit_code == 1
    assert "without a summary: no such state" in result.stdout
    assert f"batchdrop resume {JOB}" in result.stdout


def test_cancel_and_resume_as_json(deployed: Deployed) -> None:
    """What they say, for programs."""
    arn = deployed.start(upload_of())
    told = document("cancel", JOB[-10:])
    assert (told["job_id"], told["state"]) == (JOB, "canceling")
    halt = deployed.ledger.halted(JOB)
    assert isinstance(halt, Halt)
    deployed.end(arn, "FAILED", error="JobCanceled")
    assert document("resume", JOB)["execution"] == f"{JOB}-r1"
    assert deployed.ledger.halted(JOB) is None


@pytest.mark.parametrize("words", [("show", "x"), ("fetch", "x"), ("watch", "x"), ("cancel", "x"), ("resume", "x")])
def test_errors_are_one_line_on_stderr(deployed: Deployed, words: tuple[str, ...]) -> None:
    """With --json they are JSON; stdout stays empty."""
    plain, as_json = run(*words), run(*words, "--json")
    assert (plain.exit_code, as_json.exit_code, plain.stdout, as_json.stdout) == (1, 1, "", "")
    assert plain.stderr.startswith("Error: job x does not exist in stack 'batchdrop'")
    assert len(plain.stderr.splitlines()) == 1
    error = json.loads(as_json.stderr)["error"]
    assert error["type"] == "NoSuchJobError"
    assert f"Error: {error['message']}\n" == plain.stderr


def test_drop_finds_its_job(deployed: Deployed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not that of an earlier drop of the same file, nor one that is resumed meanwhile."""
    (tmp_path / "f.csv").write_bytes(ROWS)
    (tmp_path / "r.yaml").write_text(RECIPE)
    deployed.put("recipes/r.yaml", b"model: other\nprompt: p\n")
    deployed.start(upload_of())
    mine = "20261122T130000-0123456789"

    def pause(_seconds: float) -> None:
        deployed.start(upload_of(resumes=1))
        deployed.start(upload_of("20261122T130000-aaaaaaaaaa", "inbox/r/other.csv"))
        deployed.start(upload_of(mine))

    dropping = Dropping(tmp_path / "f.csv", str(tmp_path / "r.yaml"), None, waits=False, out=tmp_path)
    drop(deployed.found(), dropping, CommandOutput(json=True), pause=pause)
    told = json.loads(capsys.readouterr().out)
    assert told == {"job_id": mine, "bucket": BUCKET, "key": "inbox/r/f.csv"}
    assert client("s3").get_object(Bucket=BUCKET, Key="inbox/r/f.csv")["Body"].read() == ROWS
    assert client("s3").get_object(Bucket=BUCKET, Key="recipes/r.yaml")["Body"].read() == RECIPE.encode()


def test_an_upload_that_starts_nothing(deployed: Deployed) -> None:
    """The message says where to look, after a time."""
    times = iter(range(0, 1_000, 50))
    with pytest.raises(NotStartedError, match=r"started no job within 120 s.*batchdrop doctor"):
        await_job(deployed.found(), "inbox/x.csv", set(), pause=lambda _: None, clock=lambda: float(next(times)))


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("sentimant", "(there: sentiment)"),
        ("nowhere.yaml", "recipe nowhere.yaml does not exist"),
        ("broken", "unknown key 'promt'"),
    ],
)
def test_drop_with_a_recipe_that_cannot_be(deployed: Deployed, tmp_path: Path, recipe: str, says: str) -> None:
    """By name or by path; exit code 2, and nothing is uploaded."""
    deployed.put("recipes/sentiment.yaml", RECIPE.encode())
    deployed.put("recipes/broken.yaml", b"model: m\npromt: p\n")
    (tmp_path / "f.csv").write_bytes(ROWS)
    result = run("drop", str(tmp_path / "f.csv"), "--recipe", recipe)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Contents" not in client("s3").list_objects_v2(Bucket=BUCKET, Prefix="inbox/")


def test_a_job_that_is_running(deployed: Deployed) -> None:
    """`show` and `ls` show what is known."""
    manifest = Manifest(upload=upload_of(), format="csv", recipe=None, cursor=None)
    manifest.split_ended_at = START + timedelta(seconds=5)
    world = World()
    write_manifest(world.store, manifest)
    for key, body in world.store.objects.items():
        deployed.put(key, body)
    deployed.start(upload_of())
    told = document("show", JOB)
    assert (told["status"], told["summary"], told["rows"]) == ("running", None, 0)
    assert f"batchdrop watch {JOB}" in run("show", JOB).stdout
