"""Each function's handler with its event from `events/`, on moto and the emulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.stub import Stubber

from batchdrop import bootstrap
from batchdrop.adapters.aws.dynamodb_live import DynamoLeases
from batchdrop.errors import AccountTrouble, AwsUnavailable, JobFault, SubmissionUncertain
from batchdrop.job.upload import Upload
from batchdrop.live_lane.slice import names_of_round
from tests.aws import client
from tests.functions.handled_job import (
    DAY,
    FILE,
    JOB,
    KEY,
    PAGE,
    RECIPE,
    dropped,
    places_of,
    split,
    submitted,
)
from tests.functions.lambdas import API_KEY, BUCKET, SECRET, STATE, UPLOAD, Functions, forget, set_environment
from tests.project import event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # an error comes before they are counted


def test_the_events_are_of_one_job() -> None:
    """All events in `events/` speak of the job that the S3 event starts, in the embedded stack's bucket."""
    [told] = event("split_upload")["Records"]
    told_object = told["s3"]["object"]
    at = datetime.fromisoformat(told["eventTime"])
    upload = Upload(BUCKET, told_object["key"], told_object["eTag"], told_object["size"], at, told_object["sequencer"])
    assert told["s3"]["bucket"]["name"] == BUCKET
    assert event("close_job")["upload"] == UPLOAD
    assert (UPLOAD["job_id"], UPLOAD["etag"], UPLOAD["key"]) == (upload.job_id, upload.etag, upload.key)
    assert {
        event(name)["job_id"] for name in ("submit_shard", "settle_submission", "poll_batch", "collect_results")
    } == {upload.job_id}


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
    answer = functions.invoke("split_upload", dropped(functions))
    expected = {"finished": True, "shards": 2, "rows": 4, "requests": 3, "redrives": 0, "asks": "shards", "deadline": 0}
    expected |= {"leave_at": 0, "marks": ""}
    assert answer == {**expected, "expires_at": answer["expires_at"]}
    assert [item["requests"] for item in json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))] == [2, 1]


def test_split_upload_goes_on_in_another_invocation(functions: Functions) -> None:
    """With less time left than the reserve nothing is split; with time the split is finished."""
    task = dropped(functions)
    with pytest.raises(Exception, match="is too short for one shard"):
        functions.invoke("split_upload", task, remaining=59_000)
    assert functions.invoke("split_upload", task, remaining=61_000)["finished"]


def test_split_upload_tells_job_faults(functions: Functions) -> None:
    """What the user must mend leaves the function as an error of that name."""
    with pytest.raises(JobFault, match="the recipe does not exist"):
        functions.invoke("split_upload", {"upload": functions.cloud.put(KEY, FILE)})


def test_submit_shard_answers_with_the_next_state(functions: Functions) -> None:
    """The state that comes in comes out with the Message Batch and the first wait."""
    split(functions)
    state = submitted(functions)
    assert {name: state[name] for name in STATE} == {**STATE, "shards": 2, "requests": 2}
    assert state["batch_id"].startswith("msgbatch_")
    assert 15 <= state["wait_seconds"] <= 18
    assert (state["polls"], state["ended"], state["round"]) == (0, False, 0)


def test_submit_shard_creates_once(functions: Functions) -> None:
    """Invoked again, it answers with the same Message Batch."""
    split(functions)
    assert submitted(functions)["batch_id"] == submitted(functions)["batch_id"]
    assert functions.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"200": 1}


def test_submit_shard_never_repeats_a_lost_create(functions: Functions) -> None:
    """A connection dropped after the create was taken: uncertain, now and later, with one POST."""
    split(functions)
    functions.cloud.emulator.inject("accept_then_drop", "batches.create")
    for _ in range(2):
        with pytest.raises(SubmissionUncertain):
            submitted(functions)
    assert functions.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"dropped": 1}


def test_submit_shard_asks_for_a_key(functions: Functions) -> None:
    """A stack that was just deployed says where the key goes, and a key put there works without a new deploy."""
    secrets = client("secretsmanager")
    split(functions)
    secrets.put_secret_value(SecretId=SECRET, SecretString=bootstrap.PLACEHOLDER_KEY)
    with pytest.raises(AccountTrouble, match="aws secretsmanager put-secret-value"):
        submitted(functions)
    secrets.put_secret_value(SecretId=SECRET, SecretString=f" {API_KEY}\n")
    forget()
    assert submitted(functions)["batch_id"]


@pytest.mark.parametrize(
    ("code", "error"), [("ThrottlingException", AwsUnavailable), ("AccessDeniedException", GetParameterError)]
)
def test_a_secret_that_cannot_be_read(functions: Functions, code: str, error: type[Exception]) -> None:
    """A throttle has the name that the state machine retries; a missing permission keeps the one of Powertools."""
    split(functions)
    set_environment("submit_shard", functions.cloud, functions._monkeypatch)
    with Stubber(bootstrap._secrets().client) as stub:
        stub.add_client_error("get_secret_value", code)
        with pytest.raises(error, match=code):
            submitted(functions)
    assert functions.cloud.emulator.call_summary()["by_endpoint"] == {}
    assert submitted(functions)["batch_id"]


def test_submit_shard_waits_for_its_turn(functions: Functions) -> None:
    """With room for two more requests, the second shard comes back with what it waits for, and is in the line."""
    split(functions)
    others = {"places": {"20250101T000000-0123456789/00000/r00": [98, 2_000_000_000]}}
    item = {"job": "processing_queue", "fact": "places", "version": 1, "text": json.dumps(others)}
    functions.cloud.table.put_item(Item=item)
    first, second = (submitted(functions, shard) for shard in range(2))
    assert (first["waits_for"], second["waits_for"], second["waits"]) == ("", "queue", 1)
    assert (second["batch_id"], 20 <= second["wait_seconds"] <= 24) == ("", True)
    assert f"{JOB}/00000/r00" in places_of(functions)["places"]
    assert [*places_of(functions)["line"]] == [f"{JOB}/00001/r00"]
    functions.cloud.emulator.advance(DAY)
    functions.invoke("poll_batch", first)
    assert f"{JOB}/00000/r00" not in places_of(functions)["places"]
    again = functions.invoke("submit_shard", second)
    assert (again["waits_for"], again["batch_id"].startswith("msgbatch_")) == ("", True)


def test_plan_slices_waits_for_its_turn(functions: Functions) -> None:
    """A live round under a cap that another shard holds comes back with what it waits for."""
    split(functions, RECIPE + "\nmax_cost_usd: 0.001\n")
    items = json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))
    held = {"holds": {"1/r0": ["0.001", 2_000_000_000]}}
    functions.cloud.table.put_item(Item={"job": JOB, "fact": "budget", "version": 1, "text": json.dumps(held)})
    state = functions.invoke("plan_slices", {**STATE, **items[0], "lane": "live"})
    assert (state["waits_for"], state["slices"]) == ("budget", [])


def test_show_progress_tells_how_far_live_slices_are(functions: Functions) -> None:
    """A round that was begun, and what the lease of its slice says is done; the page is drawn anew each time."""
    split(functions, RECIPE + "\nlane: live\n")
    [first, *_] = json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))
    functions.invoke("plan_slices", {**STATE, **first})
    functions.invoke("show_progress", event("show_progress"))
    assert b"0 of 4 rows answered" in functions.cloud.get(PAGE)
    leases, now = DynamoLeases(functions.cloud.table), datetime.now(UTC)
    lease = leases.take(JOB, f"{names_of_round(0, 0)}00000", "attempt", now=now, until=now)
    leases.renew(lease, now, done=1)
    functions.invoke("show_progress", event("show_progress"))
    assert b"1 of 4 rows answered" in functions.cloud.get(PAGE)


def test_show_progress_leaves_the_end_alone(functions: Functions) -> None:
    """An event that comes when the job was closed, after somebody had asked for the page, is no error."""
    split(functions)
    functions.invoke("close_job", event("close_job"))
    ended = functions.cloud.get(PAGE)
    functions.invoke("show_progress", event("show_progress"))
    assert functions.log[-1]["message"] == "a newer page stands"
    assert functions.cloud.get(PAGE) == ended


def test_poll_batch_waits_for_an_unknown_message_batch(functions: Functions) -> None:
    """The event's own Message Batch is not known yet: wait, and count the look."""
    given = event("poll_batch")
    answer = functions.invoke("poll_batch", given)
    assert answer["wait_seconds"] > 0
    assert given.items() - {("polls", 3), ("wait_seconds", 68)} <= answer.items()
    assert answer["polls"] == given["polls"] + 1


def test_poll_batch_sees_the_end(functions: Functions) -> None:
    """Open: wait, longer for an older Message Batch. Ended: no wait."""
    split(functions)
    first = functions.invoke("poll_batch", submitted(functions))
    second = functions.invoke("poll_batch", first)
    assert (first["ended"], second["ended"], second["polls"]) == (False, False, 2)
    assert functions.invoke("poll_batch", {**second, "polls": 60})["wait_seconds"] > second["wait_seconds"]
    functions.cloud.emulator.advance(DAY)
    last = functions.invoke("poll_batch", second)
    assert (last["ended"], last["wait_seconds"], last["polls"]) == (True, 0, 3)


def test_collect_results_writes_the_part(functions: Functions) -> None:
    """The shard's part, its failed rows and its tally are there; the state comes out as it came in."""
    split(functions)
    state = submitted(functions, 1)
    functions.cloud.emulator.advance(DAY)
    given = {**event("collect_results"), **state, "ended": True}
    assert functions.invoke("collect_results", given) == {**given, "leftovers": 0}
    assert json.loads(functions.cloud.get(f"jobs/{JOB}/parts/00001.r0.tally.json"))["answered"] == 1
    assert functions.cloud.get(f"jobs/{JOB}/parts/00001.r0.csv").startswith(b"3,,,rejected,")


def _lose_create(functions: Functions) -> dict[str, Any]:
    """Lose the answer to the first shard's create; return the state that the state machine goes on with."""
    split(functions)
    functions.cloud.emulator.inject("accept_then_drop", "batches.create")
    items = json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))
    state = {**STATE, **items[0], "wait_seconds": 60}
    with pytest.raises(SubmissionUncertain):
        functions.invoke("submit_shard", state)
    return state


def test_settle_submission_says_absent_where_nothing_was_sent(functions: Functions) -> None:
    """The event's own submission was never sent: another attempt may be made."""
    given = event("settle_submission")
    answer = functions.invoke("settle_submission", given)
    assert (answer["settled"], answer["batch_id"], answer["looks"]) == ("absent", "", 0)
    assert given.items() <= answer.items()


def test_settle_submission_follows_and_adopts(functions: Functions) -> None:
    """Still running: open, later and later. Ended: ours, with the id; the next submission finds it there."""
    state = _lose_create(functions)
    first = functions.invoke("settle_submission", {**state, "uncertain": {"Error": "SubmissionUncertain", "Cause": ""}})
    second = functions.invoke("settle_submission", first)
    assert [(look["settled"], look["looks"]) for look in (first, second)] == [("open", 1), ("open", 2)]
    assert second["wait_seconds"] > first["wait_seconds"]
    functions.cloud.emulator.advance(DAY)
    last = functions.invoke("settle_submission", second)
    assert (last["settled"], last["looks"], last["ended"]) == ("accepted", 0, False)
    assert functions.invoke("submit_shard", state)["batch_id"] == last["batch_id"]
    assert functions.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"dropped": 1}


def test_an_uncertain_submission_is_counted_once(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """However many looks it takes."""
    state = _lose_create(functions)
    capsys.readouterr()
    for _ in range(3):
        state = functions.invoke("settle_submission", state)
    counted = [json.loads(line)["UncertainSubmissions"] for line in capsys.readouterr().out.splitlines()]
    assert counted == [[1.0], [0.0], [0.0]]


def test_collect_results_leaves_the_next_round(functions: Functions) -> None:
    """Rows that expired are the next round's: their body is there, and the state asks for it."""
    functions.cloud.emulator.settings(batch_seconds=2 * DAY)
    try:
        split(functions)
        state = submitted(functions, 0)
        functions.cloud.emulator.advance(DAY)
        answer = functions.invoke("collect_results", {**state, "ended": True})
    finally:
        functions.cloud.emulator.reset()
    assert (answer["leftovers"], answer["requests"], answer["round"], answer["batch_id"]) == (2, 2, 1, "")
    body = json.loads(functions.cloud.get(f"jobs/{JOB}/shards/00000.r1.requests.json"))
    assert [request["custom_id"] for request in body["requests"]] == [f"{JOB}-00000-{row:06d}" for row in range(2)]
