"""Each function's handler with its event from `events/`, on moto and the emulator."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from batchdrop import bootstrap
from batchdrop.domain.upload import Upload
from batchdrop.errors import AccountTrouble, JobFault, SubmissionUncertain
from tests.aws import client
from tests.fakes import START
from tests.functions.lambdas import API_KEY, BUCKET, SECRET, STATE, UPLOAD, Functions, forget
from tests.project import FUNCTIONS, event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # an error comes before they are counted
DAY = 86_400.0
JOB: str = UPLOAD["job_id"]
KEY: str = UPLOAD["key"]
SECRET_PROMPT = "MARMALADE"
SECRET_CELL = "PORCUPINE"
RECIPE = (
    f"model: claude-haiku-5-5\nmax_tokens: 256\nsystem: {SECRET_PROMPT}\nprompt: '{SECRET_PROMPT} {{{{ review }}}}'\n"
)
FILE = f'id,review\n1,"{SECRET_CELL}, good\nand cheap"\n2,{SECRET_CELL} bad\n3\n4,日本 {SECRET_CELL}\n'.encode()


def _dropped(functions: Functions, body: bytes = FILE) -> dict[str, Any]:
    functions.cloud.put("recipes/sentiment.yaml", RECIPE.encode())
    return {"upload": functions.cloud.put(KEY, body)}


def _split(functions: Functions) -> dict[str, Any]:
    task = _dropped(functions)
    functions.invoke("split_upload", task)
    return task


def _submitted(functions: Functions, shard: int = 0) -> dict[str, Any]:
    items = json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))
    return functions.invoke("submit_shard", {**STATE, **items[shard]})


def _whole_job(functions: Functions) -> dict[str, Any]:
    """Run all steps as the state machine does; return the last answer."""
    task = _split(functions)
    states = [_submitted(functions, shard) for shard in range(2)]
    functions.cloud.emulator.advance(DAY)
    for state in states:
        ended = functions.invoke("poll_batch", state)
        assert ended["ended"]
        functions.invoke("collect_results", ended)
    return functions.invoke("close_job", task)


def test_the_events_are_of_one_job() -> None:
    """All events in `events/` speak of the job that the S3 event starts, in the embedded stack's bucket."""
    [told] = event("split_upload")["Records"]
    told_object = told["s3"]["object"]
    upload = Upload(
        BUCKET, told_object["key"], told_object["eTag"], told_object["size"], START, told_object["sequencer"]
    )
    assert told["s3"]["bucket"]["name"] == BUCKET
    assert event("close_job")["upload"] == UPLOAD
    assert (UPLOAD["job_id"], UPLOAD["etag"], UPLOAD["key"]) == (upload.job_id, upload.etag, upload.key)
    assert {event(name)["job_id"] for name in ("submit_shard", "poll_batch", "collect_results")} == {upload.job_id}


def test_split_upload_starts_the_job_of_an_event(functions: Functions) -> None:
    """S3's event starts one execution, named by the job."""
    assert functions.invoke("split_upload", event("split_upload")) == {"jobs_started": [JOB]}
    assert functions.cloud.executions() == [JOB]


def test_split_upload_starts_nothing_for_a_second_delivery(functions: Functions) -> None:
    """The same event again leaves one execution."""
    for _ in range(3):
        functions.invoke("split_upload", event("split_upload"))
    assert functions.cloud.executions() == [JOB]


@pytest.mark.parametrize("change", [{"key": "results/r/x.csv"}, {"key": "inbox/r/"}])
def test_split_upload_ignores_other_objects(functions: Functions, change: dict[str, str]) -> None:
    """An object outside the inbox and a folder marker start nothing."""
    told = event("split_upload")
    told["Records"][0]["s3"]["object"].update(change)
    assert functions.invoke("split_upload", told) == {"jobs_started": []}
    assert functions.cloud.executions() == []


def test_split_upload_answers_s3s_test_event(functions: Functions) -> None:
    """What S3 sends when the notification is set up starts nothing and is no error."""
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-22T12:00:00.000Z", "Bucket": BUCKET}
    assert functions.invoke("split_upload", told) == {"jobs_started": []}


@pytest.mark.parametrize("name", ["a b+c%41&=.csv", "日本 é.csv", "x y/z.csv"])
def test_split_upload_reads_keys_as_they_are(functions: Functions, name: str) -> None:
    """S3 form-encodes keys in events; the job is started for the object's own key."""
    from urllib.parse import quote_plus

    told = event("split_upload")
    told["Records"][0]["s3"]["object"]["key"] = quote_plus(f"inbox/r/{name}", safe="/")
    [job] = functions.invoke("split_upload", told)["jobs_started"]
    arn = f"{functions.cloud.machine_arn.replace(':stateMachine:', ':execution:')}:{job}"
    given = json.loads(functions.cloud.states.describe_execution(executionArn=arn)["input"])
    assert given["key"] == f"inbox/r/{name}"


def test_split_upload_splits_for_the_job(functions: Functions) -> None:
    """As a task, it writes shards of the template's size and answers with counts only."""
    answer = functions.invoke("split_upload", _dropped(functions))
    assert answer == {"finished": True, "shards": 2, "rows": 4, "requests": 3, "expires_at": answer["expires_at"]}
    assert [item["requests"] for item in json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))] == [2, 1]


def test_split_upload_goes_on_in_another_invocation(functions: Functions) -> None:
    """With less time left than the reserve nothing is split; with time the split is finished."""
    task = _dropped(functions)
    with pytest.raises(Exception, match="does not suffice for one shard"):
        functions.invoke("split_upload", task, remaining=59_000)
    assert functions.invoke("split_upload", task, remaining=61_000)["finished"]


def test_split_upload_tells_job_faults(functions: Functions) -> None:
    """What the user must mend leaves the function as an error of that name."""
    with pytest.raises(JobFault, match="no such recipe"):
        functions.invoke("split_upload", {"upload": functions.cloud.put(KEY, FILE)})


def test_submit_shard_answers_with_the_next_state(functions: Functions) -> None:
    """The state that comes in comes out with the Message Batch and the first wait."""
    _split(functions)
    state = _submitted(functions)
    assert {name: state[name] for name in STATE} == {**STATE, "shards": 2, "requests": 2}
    assert state["batch_id"].startswith("msgbatch_")
    assert 20 <= state["wait_seconds"] <= 24
    assert (state["polls"], state["ended"], state["round"]) == (0, False, 0)


def test_submit_shard_creates_once(functions: Functions) -> None:
    """Invoked again, it answers with the same Message Batch."""
    _split(functions)
    assert _submitted(functions)["batch_id"] == _submitted(functions)["batch_id"]
    assert functions.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"200": 1}


def test_submit_shard_never_repeats_a_lost_create(functions: Functions) -> None:
    """A connection dropped after the create was taken: uncertain, now and later, with one POST."""
    _split(functions)
    functions.cloud.emulator.inject("accept_then_drop", "batches.create")
    for _ in range(2):
        with pytest.raises(SubmissionUncertain):
            _submitted(functions)
    assert functions.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"dropped": 1}


def test_submit_shard_asks_for_a_key(functions: Functions) -> None:
    """A stack that was just deployed says where the key goes, and a key put there works without a new deploy."""
    secrets = client("secretsmanager")
    _split(functions)
    secrets.put_secret_value(SecretId=SECRET, SecretString=bootstrap.PLACEHOLDER_KEY)
    with pytest.raises(AccountTrouble, match="aws secretsmanager put-secret-value"):
        _submitted(functions)
    secrets.put_secret_value(SecretId=SECRET, SecretString=f" {API_KEY}\n")
    forget()
    assert _submitted(functions)["batch_id"]


def test_poll_batch_waits_for_an_unknown_message_batch(functions: Functions) -> None:
    """The event's own Message Batch is not known yet: wait, and count the look."""
    given = event("poll_batch")
    answer = functions.invoke("poll_batch", given)
    assert answer["wait_seconds"] > 0
    assert answer == {**given, "polls": given["polls"] + 1, "wait_seconds": answer["wait_seconds"]}


def test_poll_batch_sees_the_end(functions: Functions) -> None:
    """Open: wait, longer each time. Ended: no wait."""
    _split(functions)
    first = functions.invoke("poll_batch", _submitted(functions))
    second = functions.invoke("poll_batch", first)
    assert (first["ended"], second["ended"]) == (False, False)
    assert (second["polls"], second["wait_seconds"] > first["wait_seconds"]) == (2, True)
    functions.cloud.emulator.advance(DAY)
    last = functions.invoke("poll_batch", second)
    assert (last["ended"], last["wait_seconds"], last["polls"]) == (True, 0, 3)


def test_collect_results_writes_the_part(functions: Functions) -> None:
    """The shard's part, its failed rows and its tally are there; the state comes out as it came in."""
    _split(functions)
    state = _submitted(functions, 1)
    functions.cloud.emulator.advance(DAY)
    given = {**event("collect_results"), **state, "ended": True}
    assert functions.invoke("collect_results", given) == given
    assert json.loads(functions.cloud.get(f"jobs/{JOB}/parts/00001.tally.json"))["answered"] == 1
    assert functions.cloud.get(f"jobs/{JOB}/parts/00001.csv").startswith(b"3,,,rejected,")


def test_close_job_ends_green(functions: Functions) -> None:
    """After all steps: every row in the output, in order, and a bill of every request once."""
    answer = _whole_job(functions)
    assert (answer["status"], answer["error"], answer["cause"]) == ("succeeded", "", "")
    output = functions.cloud.get(f"{answer['results']}output.csv").decode()
    rows = list(csv.DictReader(io.StringIO(output, newline="")))
    assert [(row["id"], row["_status"]) for row in rows] == [
        ("1", "answered"),
        ("2", "answered"),
        ("3", "rejected"),
        ("4", "answered"),
    ]
    assert rows[0]["review"] == f"{SECRET_CELL}, good\nand cheap"
    bill = [entry["custom_id"] for entry in functions.cloud.emulator.bill()]
    assert sorted(bill) == [f"{JOB}-00000-000000", f"{JOB}-00000-000001", f"{JOB}-00001-000001"]


def test_close_job_ends_red_with_a_reason(functions: Functions) -> None:
    """A caught fault comes out as words, and stands in summary.json."""
    cause = json.dumps({"errorMessage": "recipes/r.yaml: there is no such recipe", "errorType": "RecipeRejected"})
    answer = functions.invoke("close_job", {**event("close_job"), "fault": {"Error": "RecipeRejected", "Cause": cause}})
    assert (answer["status"], answer["error"]) == ("failed", "RecipeRejected")
    assert answer["cause"].startswith("recipes/r.yaml: there is no such recipe (1 in all; see results/sentiment/")
    summary = json.loads(functions.cloud.get(f"{answer['results']}summary.json"))
    assert summary["faults"] == [
        {"type": "RecipeRejected", "message": "recipes/r.yaml: there is no such recipe", "shard": None}
    ]


def test_answers_are_small(functions: Functions) -> None:
    """What goes back into the state machine's state is a few hundred bytes."""
    _split(functions)
    assert len(json.dumps(_submitted(functions))) < 400
    assert len(json.dumps(functions.invoke("close_job", event("close_job")))) < 400


def test_every_log_line_names_its_job(functions: Functions) -> None:
    """Each line of each function is a JSON object with service, level, request id, the job, and the shard if any."""
    functions.invoke("split_upload", event("split_upload"))
    _whole_job(functions)
    assert len(functions.log) >= len(FUNCTIONS) + 1
    for line in functions.log:
        assert line["service"] == "batchdrop"
        assert line["level"] in {"DEBUG", "INFO", "WARNING"}
        assert line["function_request_id"]
        assert JOB in {line.get("job_id"), *line.get("jobs_started", [])}
        assert ("shard" in line) == (line["function_name"] in {"submit_shard", "poll_batch", "collect_results"})


def test_no_prompt_and_no_answer_is_logged(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither log nor metrics hold the recipe's words, a cell, an answer or the key, at any log level."""
    answer = _whole_job(functions)
    output = functions.cloud.get(f"{answer['results']}output.csv").decode()
    answers = [row["answer"] for row in csv.DictReader(io.StringIO(output, newline="")) if len(row["answer"]) > 3]
    assert answers
    captured = capsys.readouterr()
    logged = json.dumps(functions.log, ensure_ascii=False) + captured.out + captured.err
    assert JOB in logged
    for secret in (SECRET_PROMPT, SECRET_CELL, API_KEY, *answers):
        assert secret not in logged


def test_metrics_are_counted(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """A job's numbers go to CloudWatch as embedded metrics, under the project's namespace."""
    functions.invoke("split_upload", event("split_upload"))
    _whole_job(functions)
    counted: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        metric = json.loads(line)
        assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "batchdrop"
        for described in metric["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            name = described["Name"]
            counted[name] = counted.get(name, 0) + sum(metric[name])
    assert counted == {
        "JobsStarted": 1,
        "RequestsSplit": 3,
        "RequestsSubmitted": 3,
        "Polls": 2,
        "RowsAnswered": 3,
        "RowsFailed": 0,
        "JobsSucceeded": 1,
    }
