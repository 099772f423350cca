"""show_sample and await_approval: their handlers with their events from `events/`, on moto and the emulator."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from batchdrop import bootstrap
from batchdrop.adapters.aws.dynamodb_approvals import DynamoApprovals
from tests.event_fakes import FakeJobEvents
from tests.fakes import START
from tests.functions.lambdas import STATE, UPLOAD, Functions
from tests.live_fakes import FakeTaskTokens
from tests.project import event

DAY = 86_400.0
JOB: str = UPLOAD["job_id"]
RESULTS = f"results/sentiment/reviews/{JOB}/"
SECRET_CELL = "PORCUPINE"
RECIPE = b"model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify {{ review }}'\nsample: 2\n"
FILE = b"review\n" + b"".join(f"{SECRET_CELL} {number}\n".encode() for number in range(5))


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> FakeTaskTokens:
    """Step Functions' other end, which moto does not have."""
    fake = FakeTaskTokens()
    monkeypatch.setattr(bootstrap, "task_tokens", lambda: fake)
    return fake


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> FakeJobEvents:
    """Who listens to the job's states."""
    fake = FakeJobEvents()
    monkeypatch.setattr(bootstrap, "job_events", cache(lambda: fake))  # all of bootstrap is cached, and cleared
    return fake


def _sampled(functions: Functions) -> dict[str, Any]:
    """Split, and ask the sample; return what show_sample is given."""
    functions.cloud.put("recipes/sentiment.yaml", RECIPE)
    task = {"upload": functions.cloud.put(UPLOAD["key"], FILE)}
    split = functions.invoke("split_upload", task)
    [item] = json.loads(functions.cloud.get(f"jobs/{JOB}/{split['asks']}.json"))
    submitted = functions.invoke("submit_shard", {**STATE, **item})
    functions.cloud.emulator.advance(DAY)
    functions.invoke("collect_results", functions.invoke("poll_batch", submitted))
    return {**task, "split": split}


def test_the_events_are_of_the_job() -> None:
    """Those that every other event speaks of."""
    assert event("show_sample")["upload"] == event("await_approval")["upload"] == UPLOAD


def test_show_sample_shows_and_waits(functions: Functions) -> None:
    """Two answers and a projected cost beside the outputs to come; the state is as it was, and says that it waits."""
    task = _sampled(functions)
    assert task["split"]["asks"] == "sample"
    assert task["split"].keys() == event("show_sample")["split"].keys()
    answer = functions.invoke("show_sample", task)
    assert answer == {**task["split"], "rest": "wait"}
    assert len(json.dumps(answer)) < 400
    assert functions.cloud.get(f"{RESULTS}sample.csv").decode().count(",answered,") == 2
    report = json.loads(functions.cloud.get(f"{RESULTS}sample.json"))
    assert (report["tally"]["answered"], report["rest"]["requests"], report["rest"]["becomes"]) == (2, 3, "wait")
    assert len(functions.cloud.emulator.bill()) == 2


def test_who_waits_for_approval_is_told_of(functions: Functions, told: FakeJobEvents) -> None:
    """Once a look finds that the job waits: with the stack's name, the sample's cost and that of the whole."""
    task = _sampled(functions)
    told.told.clear()
    functions.invoke("show_sample", task)
    [one] = told.told
    assert (one.state, one.stack, one.job_id, one.results) == ("awaiting_approval", "batchdrop", JOB, RESULTS)
    assert one.sample is not None
    assert (one.sample.rows.answered, one.sample.requests) == (2, 3)
    report = json.loads(functions.cloud.get(f"{RESULTS}sample.json"))
    assert float(one.sample.spent_usd or 0) == report["spent_usd"] > 0
    assert float(one.sample.high_usd or 0) == report["projected"]["high_usd"] > 0


@pytest.mark.parametrize("lapsed", [False, True])
def test_who_does_not_wait_is_not_told_of(functions: Functions, told: FakeJobEvents, *, lapsed: bool) -> None:
    """Neither once it is approved, nor when the wait is over: its end will be told."""
    task = _sampled(functions)
    told.told.clear()
    if lapsed:
        task["split"]["lapsed"] = {"Error": "States.Timeout", "Cause": ""}
    else:
        DynamoApprovals(functions.cloud.table).approve(JOB, START)
    functions.invoke("show_sample", task)
    assert told.told == []


def test_a_job_waits_though_nobody_can_be_told(functions: Functions, told: FakeJobEvents) -> None:
    """The news is lost, and counted and logged as lost; the sample is shown, and the job waits."""
    task = _sampled(functions)
    told.refusal = "no bus"
    assert functions.invoke("show_sample", task)["rest"] == "wait"
    [lost] = [line for line in functions.log if line["message"] == "job event lost"]
    assert (lost["state"], lost["why"], lost["job_id"]) == ("awaiting_approval", "no bus", JOB)


def test_show_sample_goes_on_once_it_is_approved(functions: Functions) -> None:
    """The same question, after `batchdrop approve`: all shards, and no mark of a wait that is over."""
    task = _sampled(functions)
    DynamoApprovals(functions.cloud.table).approve(JOB, START)
    lapsed = {**task, "split": {**task["split"], "lapsed": {"Error": "States.Timeout", "Cause": ""}}}
    answer = functions.invoke("show_sample", lapsed)
    assert answer == {**task["split"], "rest": "ask", "asks": "shards", "deadline": 0}


def test_show_sample_leaves_what_nobody_approved(functions: Functions) -> None:
    """The wait is over: the job is halted, and closing it marks the rest."""
    task = _sampled(functions)
    task["split"]["lapsed"] = {"Error": "States.Timeout", "Cause": ""}
    assert functions.invoke("show_sample", task)["rest"] == "leave"
    closed = functions.invoke("close_job", {"upload": task["upload"]})
    assert (closed["status"], closed["error"]) == ("canceled", "JobNotApproved")
    assert functions.cloud.get(f"{RESULTS}output.csv").decode().count(",not_sent,") == 3


def test_await_approval_leaves_its_token(functions: Functions, tokens: FakeTaskTokens) -> None:
    """Whoever approves finds it in the ledger; it is in no log."""
    task = event("await_approval")
    assert functions.invoke("await_approval", task) == {"is_woken": False}
    assert DynamoApprovals(functions.cloud.table).tokens(JOB) == [task["task_token"]]
    assert not tokens.succeeded
    assert task["task_token"] not in json.dumps(functions.log)


def test_await_approval_wakes_a_task_that_is_late(functions: Functions, tokens: FakeTaskTokens) -> None:
    """The approval was there before the token."""
    DynamoApprovals(functions.cloud.table).approve(JOB, START)
    assert functions.invoke("await_approval", event("await_approval")) == {"is_woken": True}
    assert tokens.succeeded == {event("await_approval")["task_token"]: {}}


def test_log_lines_name_their_job_and_no_cell(functions: Functions, tokens: FakeTaskTokens) -> None:
    """As those of all functions."""
    functions.invoke("show_sample", _sampled(functions))
    functions.invoke("await_approval", event("await_approval"))
    lines = [line for line in functions.log if line["function_name"] in {"show_sample", "await_approval"}]
    assert len(lines) == 2
    assert all(line["job_id"] == JOB and line["service"] == "batchdrop" for line in lines)
    assert SECRET_CELL not in json.dumps(functions.log)
