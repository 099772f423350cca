"""The state machine's definition, walked: nothing dangles, nothing waits for ever, nothing is retried blindly."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from batchdrop import errors
from batchdrop.limits import LEDGER_KEPT
from tests.asl.walker import all_states, levels, targets
from tests.project import FUNCTIONS, ROOT, definition, template

STATES = list(all_states(definition()))
TASKS = [(name, state) for name, state, _ in STATES if state["Type"] == "Task"]
CALLS = [(name, state) for name, state, _ in STATES if state["Type"] in {"Task", "Map", "Parallel"}]
TASK_IDS = [name for name, _ in TASKS]
TEXT = (ROOT / "statemachines" / "job.asl.yaml").read_text(encoding="utf-8")
CLASSES = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
LEAVES = [
    name for name, kind in CLASSES.items() if issubclass(kind, errors.BatchdropError) and not kind.__subclasses__()
]

# The errors of AWS itself that a later attempt may not meet again.
THROTTLED = ["Lambda.TooManyRequestsException"]
UNAVAILABLE = [
    "AwsUnavailable", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
]  # fmt: skip
CUT_OFF = [
    "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "Lambda.Unknown",
    "Lambda.ClientExecutionTimeoutException", "States.Timeout",
]  # fmt: skip
PASSING = {
    *THROTTLED, *UNAVAILABLE, *CUT_OFF,
    "DynamoDB.ProvisionedThroughputExceededException", "DynamoDB.RequestLimitExceededException",
    "DynamoDB.ThrottlingException", "DynamoDB.InternalServerErrorException", "DynamoDB.SdkClientException",
    "SQS.SdkClientException", "SQS.AmazonSQSException",
}  # fmt: skip

# The fate of each error: where it is retried; everywhere else it goes to the Catch at once.
RETRIED = {
    "RateLimited": {"Submit shard", "Collect results"},
    "ApiUnavailable": {"Submit shard", "Collect results"},
    "ResultsIncomplete": {"Collect results"},
    "MessageBatchLost": {"Collect results"},
    "LedgerContended": {"Collect results"},
    "AwsUnavailable": {name.rpartition(" / ")[2] for name in TASK_IDS} - {"Record shard failure", "Answer requests"},
}
NEVER_RETRIED = {
    "UploadRejected", "RecipeRejected", "PricesRejected", "TooExpensive", "JobExpired", "NothingToSend",
    "AccountTrouble", "SubmissionRefused", "SubmissionUncertain",
    "SubmissionUnsettled", "InvariantBroken", "SplitTooSlow", "JobFailed", "JobCanceled",
    "JobClosedSince", "SliceBusy", "SliceGivenUp", "DeadlinePassed", "CountRefused", "JobNotApproved", "PilotRefused",
    "SampleFailed", "BudgetReached", "NothingAnswered", "TooFewAnswered", "RetryRefused", "AnswerStoreDamaged",
    "NotErased",
}  # fmt: skip


RED_END = "End red"
APPROVAL = "Await approval"
BESIDE = {"guard_retention", "watch_jobs", "show_progress"}  # no step of a job: scheduled, or called by a worker
QUEUED = "answer_requests"  # called by the queue, not by its ARN


def _retried(state: dict[str, Any]) -> list[str]:
    return [error for rule in state.get("Retry", []) for error in rule["ErrorEquals"]]


@pytest.mark.parametrize("level", list(levels(definition())), ids=lambda level: level["StartAt"])
def test_nothing_dangles_and_everything_is_reached(level: dict[str, Any]) -> None:
    """Each Next, Default and Catch names a state of its level, and each state can be reached from the start."""
    states = level["States"]
    reached, ahead = set(), [level["StartAt"]]
    while ahead:
        name = ahead.pop()
        assert name in states, f"no state is called {name!r}"
        if name not in reached:
            reached.add(name)
            ahead += targets(states[name])
    assert reached == states.keys()


@pytest.mark.parametrize("name", [name for name, _, _ in STATES])
def test_every_state_goes_on_or_ends(name: str) -> None:
    """A state has a Next or an end, and never both; a Choice has a Default."""
    [state] = [state for other, state, _ in STATES if other == name]
    match state["Type"]:
        case "Succeed" | "Fail":
            assert not {"Next", "End"} & state.keys()
        case "Choice":
            assert "Default" in state
            assert not {"Next", "End"} & state.keys()
        case _:
            assert ("Next" in state) != (state.get("End") is True)


@pytest.mark.parametrize(("name", "state"), TASKS, ids=TASK_IDS)
def test_every_task_has_a_timeout(name: str, state: dict[str, Any]) -> None:
    """A lost answer does not hold a job for a year; the time is a little more than the function's own.

    `End red` calls close_job for a moment only: it raises, or deletes a few facts.
    """
    resources = template()["Resources"]
    called = re.fullmatch(r"\$\{(\w+)Arn\}", state["Resource"])
    if state["Resource"].endswith("sqs:sendMessage.waitForTaskToken"):
        # A slice may wait a day for its turn; a worker that has it says that it is alive.
        visible_after = resources["SliceQueue"]["Properties"]["VisibilityTimeout"]
        assert visible_after < state["HeartbeatSeconds"] < state["TimeoutSeconds"] == 90_000
        return
    if name == APPROVAL:
        return
    if called is None:
        assert 0 < state["TimeoutSeconds"] <= 60
        return
    if name == RED_END:
        assert 0 < state["TimeoutSeconds"] <= 300
        return
    function = resources[called[1]]["Properties"].get("Timeout", template()["Globals"]["Function"]["Timeout"])
    if isinstance(function, dict):
        function = template()["Parameters"][function["Ref"]]["MaxValue"]
    assert function < state["TimeoutSeconds"] <= function + 60, name


@pytest.mark.parametrize(("name", "state"), TASKS, ids=TASK_IDS)
def test_retries_are_by_name(name: str, state: dict[str, Any]) -> None:
    """Only errors that are known to pass are retried: never all, never a word that nothing raises."""
    assert state["Retry"], name
    for error in _retried(state):
        assert error in PASSING | CLASSES.keys(), f"{name}: {error}"
    assert len(set(_retried(state))) == len(_retried(state)), "a later rule for the same error never counts"


@pytest.mark.parametrize(("name", "state"), TASKS, ids=TASK_IDS)
def test_retries_have_an_end(name: str, state: dict[str, Any]) -> None:
    """Every rule says how often, from when, how much slower, at most how slow, and spreads out."""
    for rule in state["Retry"]:
        most = {"RateLimited": 300, "Lambda.TooManyRequestsException": 64}.get(rule["ErrorEquals"][0], 8)
        assert 1 <= rule["MaxAttempts"] <= most, name
        assert rule["IntervalSeconds"] >= 1
        assert rule["BackoffRate"] > 1
        assert rule["MaxDelaySeconds"] <= 600
        assert rule["JitterStrategy"] == "FULL"


CAUGHT = [(name, state) for name, state in CALLS if name != RED_END]


@pytest.mark.parametrize(("name", "state"), CAUGHT, ids=[name for name, _ in CAUGHT])
def test_every_failure_is_caught(name: str, state: dict[str, Any]) -> None:
    """The last catcher takes everything and keeps the state beside the fault."""
    last = state["Catch"][-1]
    assert last["ErrorEquals"] == ["States.ALL"], name
    assert re.fullmatch(r"\$\.\w+", last["ResultPath"])


def test_the_red_end_is_not_caught() -> None:
    """A redrive starts at the state that failed uncaught, and a Fail state cannot be redriven.

    So the job's end raises in a task without a Catch: redriven, it goes on to the shards with the RedriveCount.
    """
    red = definition()["States"][RED_END]
    assert "Catch" not in red
    assert red["Next"] == "Send every shard"
    assert red["ResultPath"] == red["Parameters"]["known_redrives.$"] == "$.split.redrives"
    assert red["Parameters"]["redrives.$"] == "$$.Execution.RedriveCount"
    assert not {"JobFailed", "JobCanceled"} & set(_retried(red))
    assert definition()["States"]["Did the job succeed?"]["Default"] == RED_END


def test_an_approval_is_awaited_for_days_and_not_for_ever() -> None:
    """As long as the template says; the end of that time is no fault, and whoever is woken looks what has happened."""
    state = definition()["States"][APPROVAL]
    assert state["TimeoutSeconds"] == "${ApprovalSeconds}"
    most = template()["Parameters"]["ApprovalSeconds"]["MaxValue"]
    assert most < LEDGER_KEPT.total_seconds(), "the ledger forgets the token before"
    assert (state["Catch"][0]["ErrorEquals"], state["Catch"][0]["Next"]) == (["States.Timeout"], "Show sample")
    assert "States.Timeout" not in _retried(state)
    assert state["Next"] == "Show sample"


def test_one_map_asks_the_sample_and_the_rest() -> None:
    """Its items are named by the state; only after the sample, and only if it may, it is entered again."""
    states = definition()["States"]
    assert states["Send every shard"]["ItemReader"]["Parameters"]["Key.$"] == (
        "States.Format('jobs/{}/{}.json', $.job_id, $.split.asks)"
    )
    assert states["Send every shard"]["Next"] == "Was it the sample?"
    [rule] = [rule for rule in states["What becomes of the rest?"]["Choices"] if rule["Next"] == "Send every shard"]
    assert rule == {"Variable": "$.split.rest", "StringEquals": "ask", "Next": "Send every shard"}


def test_an_uncertain_submission_is_settled_not_failed() -> None:
    """It is caught before all else, its fault stands beside the state, and only a known verdict leaves the loop."""
    states = definition()["States"]["Send every shard"]["ItemProcessor"]["States"]
    for task in ("Submit shard", "Collect results"):  # the latter where the results are another client's
        first = states[task]["Catch"][0]
        assert (first["ErrorEquals"], first["Next"]) == (["SubmissionUncertain"], "Wait to settle")
        assert first["ResultPath"] == "$.uncertain"
    settled = states["Is the submission settled?"]
    assert settled["Choices"][0] == {"Variable": "$.left", "BooleanEquals": True, "Next": "Shard done"}
    assert {rule["StringEquals"]: rule["Next"] for rule in settled["Choices"][1:]} == {
        "accepted": "Wait for Message Batch",
        "absent": "Submit shard",
    }
    assert settled["Default"] == "Wait to settle"


FUNCTION_TASKS = [name for name in TASK_IDS if not name.endswith(("Record shard failure", "Answer requests"))]


def _task(name: str) -> dict[str, Any]:
    [state] = [state for other, state in TASKS if other == name]
    return state


@pytest.mark.parametrize("name", FUNCTION_TASKS)
def test_every_function_has_the_same_three_retriers(name: str) -> None:
    """They are written out in each task, because CloudFormation rejects YAML aliases."""
    throttled, unavailable, cut_off, *_ = _task(name)["Retry"]
    expected = _task("Split upload")["Retry"]
    assert [throttled, unavailable] == expected[:2]
    is_brief = name in {APPROVAL, RED_END}  # a timeout of these means something else
    assert cut_off == {**expected[2], "ErrorEquals": CUT_OFF[:-1] if is_brief else CUT_OFF}
    assert (throttled["ErrorEquals"], unavailable["ErrorEquals"]) == (THROTTLED, UNAVAILABLE)


def test_a_throttled_function_is_tried_for_about_an_hour() -> None:
    """A new account has ten concurrent invocations: a slice's workers may hold them for minutes, again and again.

    Jitter makes each wait half as long on average.
    """
    throttled, unavailable, *_ = _task("Split upload")["Retry"]
    assert 55 * 60 <= _seconds(throttled) / 2 <= 70 * 60
    assert 30 <= _seconds(unavailable) / 2 <= 120


def _seconds(rule: dict[str, Any]) -> float:
    """Return the longest that the waits of one retrier take together."""
    waits = (rule["IntervalSeconds"] * rule["BackoffRate"] ** number for number in range(rule["MaxAttempts"]))
    return float(sum(min(wait, rule["MaxDelaySeconds"]) for wait in waits))


def test_errors_of_the_sdk_are_not_retried() -> None:
    """AccessDenied is a ClientError. The adapters give the transient ones another name (adapters/aws/faults.py)."""
    assert not {"ClientError", "ThrottlingException", "EndpointConnectionError", "GetParameterError"} & {
        error for _, state in TASKS for error in _retried(state)
    }


@pytest.mark.parametrize("error", LEAVES)
def test_every_error_has_a_fate(error: str) -> None:
    """Each error class is either retried where it should be, or known never to be."""
    retried = {name.rpartition(" / ")[2] for name, state in TASKS if error in _retried(state)}
    assert (error in RETRIED) != (error in NEVER_RETRIED), f"decide what becomes of {error}"
    assert retried == RETRIED.get(error, set())


def test_base_classes_are_not_retried() -> None:
    """Lambda reports the class that was raised, so a rule for its base would never match."""
    bases = CLASSES.keys() - set(LEAVES)
    assert not bases & {error for _, state in TASKS for error in _retried(state)}


def test_a_paid_create_is_never_repeated_blindly() -> None:
    """What leaves a create uncertain is in no rule of the submission."""
    [submit] = [state for name, state in TASKS if name.endswith("Submit shard")]
    assert "SubmissionUncertain" not in _retried(submit)
    assert not {"States.ALL", "States.TaskFailed", "BatchdropError", "Exception"} & set(_retried(submit))


def test_failures_end_red() -> None:
    """Every end of a caught failure is a Fail with the fault's own words; there is one green end on each level."""
    ends = {
        name: state["Type"] for name, state, _ in STATES if state["Type"] in {"Succeed", "Fail"} or state.get("End")
    }
    assert ends == {
        "Send every shard / Shard done": "Pass",
        "Send every shard / Shard failed": "Fail",
        "Send every shard / Answer slices / Slice answered": "Pass",
        "Send every shard / Answer slices / Slice not answered": "Pass",
        "Job succeeded": "Succeed",
        "Job failed": "Fail",
        "Job not closed": "Fail",
    }
    for _, state, _ in STATES:
        if state["Type"] == "Fail":
            assert {"ErrorPath", "CausePath"} <= state.keys()


def test_names_are_one() -> None:
    """State, resource, substitution, folder, use case and event are called by the same words."""
    state_names = [name.rpartition(" / ")[2] for name, _ in TASKS]
    assert {*FUNCTIONS} > BESIDE
    substitutions = template()["Resources"]["JobStateMachine"]["Properties"]["DefinitionSubstitutions"]
    for function in FUNCTIONS:
        words = function.replace("_", " ").capitalize()
        resource = words.title().replace(" ", "") + "Function"
        assert template()["Resources"][resource]["Properties"]["CodeUri"] == f"functions/{function}"
        assert (words in state_names) == (function not in BESIDE)
        is_called = function not in {*BESIDE, QUEUED}
        assert (f"${{{resource}Arn}}" in TEXT) == is_called
        wanted = None if not is_called else {"Fn::GetAtt": [resource, "Arn"]}
        assert substitutions.get(f"{resource}Arn") == wanted
        assert len([*(ROOT / "layers" / "core" / "batchdrop").glob(f"*/{function}.py")]) == 1
        assert (ROOT / "events" / f"{function}.json").is_file()


def test_substitutions_match() -> None:
    """What the definition asks for is what the template fills in, nothing more or less."""
    substitutions = template()["Resources"]["JobStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == substitutions.keys()


def test_state_names_fit_aws() -> None:
    """At most 80 characters, each name once in the whole definition."""
    names = [name.rpartition(" / ")[2] for name, _, _ in STATES]
    assert max(map(len, names)) <= 80
    assert len(set(names)) == len(names)


def test_no_yaml_aliases() -> None:
    """CloudFormation rejects a definition with aliases or merge keys (SCHEMA_VALIDATION_FAILED)."""
    tokens = [word for line in TEXT.splitlines() for word in line.partition("#")[0].split()]
    assert not [word for word in tokens if re.match(r"[&*]\w", word) or word == "<<:"]


def test_shards_leave_nothing_behind() -> None:
    """The outputs of 10,000 shards together stay below 256 KB, and the Map's own result is dropped."""
    shards = definition()["States"]["Send every shard"]
    assert shards["ItemProcessor"]["States"]["Shard done"]["Result"] == {}
    assert shards["ResultPath"] is None
    assert shards["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert shards["ToleratedFailurePercentage"] == 100
