"""Through 24 hours: the real definition, the real wait policy, a clock that jumps, and history events counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.errors import ApiUnavailable
from batchdrop.job.polling import (
    JITTER,
    MOST_LOOKS,
    MOST_LOOKS_IN_ALL,
    MOST_WAITS,
    POLL_LONGEST_WAIT,
    POLLING_SHARE,
    REQUESTS_PER_MINUTE,
    SETTLE_LONGEST_WAIT,
)
from batchdrop.recipe.recipe import DEFAULT_ROUNDS, MAX_ROUNDS
from tests.asl.slow_service import CHILD, DAY, UNSETTLED, SlowService, item_of, walked
from tests.asl.walker import TaskError, Walker
from tests.project import definition

MOST_EVENTS = 3_200  # an eighth of AWS's 25,000
AWS_MOST_EVENTS = 25_000
LARGEST_STATE = 32 * 1024  # an eighth of AWS's 256 KB
JITTERS = [0.0, 0.5, 0.999]


@pytest.mark.parametrize("jitter", JITTERS)
def test_a_shard_survives_its_expiry(jitter: float) -> None:
    """24 h of polling end by themselves, soon after the expiry, with history and state far below AWS's limits."""
    service = SlowService(jitter=jitter)
    walk = walked(service)
    assert walk.visited[-3:] == ["Collect results", "Are there leftovers?", "Shard done"]
    assert walk.output == {}
    assert walk.events < MOST_EVENTS
    assert walk.largest < LARGEST_STATE
    assert DAY <= walk.seconds <= DAY + POLL_LONGEST_WAIT * (1 + JITTER) + 1


def test_events_are_counted_as_aws_does() -> None:
    """Wait 2, Task on a function's ARN 5, Choice 2, Pass 2, Execution 2: nine a poll, and 24 around them."""
    walk = walked(SlowService(jitter=0.0, ends_after=60))
    polls = walk.visited.count("Poll batch")
    assert polls == 4
    assert walk.events == 9 * polls + 2 + 2 + 5 + 2 + 2 + 5 + 2 + 2 + 2


def test_the_state_does_not_grow() -> None:
    """A few hundred bytes, after a day as after a minute."""
    assert walked(SlowService(jitter=0.5)).largest < 450
    assert walked(SlowService(jitter=0.5, ends_after=1)).largest < 450


@pytest.mark.parametrize("jitter", JITTERS)
@pytest.mark.parametrize("shards", [1, 2, 10, 40, 100, 250, 500, 999, 1000])
def test_any_number_of_shards_stays_under_a_fifth_of_the_rate_limit(shards: int, jitter: float) -> None:
    """All shards together make at most 200 calls a minute on average over the day, creates and results included."""
    service = SlowService(jitter=jitter, open_shards=shards)
    walk = walked(service, shards=shards)
    assert shards * service.calls / (walk.seconds / 60) <= REQUESTS_PER_MINUTE * POLLING_SHARE
    assert walk.events < MOST_EVENTS


def test_a_quick_message_batch_is_seen_quickly() -> None:
    """What ends within seconds is collected after the first look."""
    walk = walked(SlowService(jitter=0.0, ends_after=5))
    assert walk.visited == [
        "Anything to send?",
        "Which lane?",
        "Submit shard",
        "Is the shard submitted?",
        "Has the Message Batch ended?",
        "Wait for Message Batch",
        "Poll batch",
        "Has the Message Batch ended?",
        "Collect results",
        "Are there leftovers?",
        "Shard done",
    ]
    assert walk.seconds == 15


def test_a_shard_of_rejects_asks_nothing() -> None:
    """No request, no call."""
    service = SlowService(jitter=0.0)
    walk = walked(service, requests=0)
    assert (walk.visited, service.calls) == (["Anything to send?", "Shard done"], 0)


def _failing(resource: str, error: str, *, times: int = 10_000) -> tuple[SlowService, list[str]]:
    service = SlowService(jitter=0.0, ends_after=5)
    failed: list[str] = []

    def fail(called: str) -> None:
        if called == resource and len(failed) < times:
            failed.append(called)
            raise TaskError(error, json.dumps({"errorMessage": "why", "errorType": error}))

    service.fail = fail
    return service, failed


def _with_ledger(service: SlowService, items: list[Any]) -> Walker:
    def task(resource: str, given: Any) -> Any:
        if resource == "arn:${Partition}:states:::dynamodb:putItem":
            items.append(given)
            return {}
        return service.task(resource, given)

    return Walker(CHILD["States"], task, service.wait)


@pytest.mark.parametrize("error", ["JobCanceled", "SubmissionRefused", "AccountTrouble", "ClientError"])
def test_a_failed_submission_is_tried_once_and_recorded(error: str) -> None:
    """No second attempt; the reason goes to the ledger; the child ends red with the same words."""
    service, failed = _failing("${SubmitShardFunctionArn}", error)
    items: list[Any] = []
    walk = _with_ledger(service, items).run(CHILD["StartAt"], item_of(requests=3, shards=13))
    assert len(failed) == 1
    assert walk.visited[-2:] == ["Record shard failure", "Shard failed"]
    assert walk.error == error
    assert "why" in walk.cause
    [item] = [given["Item"] for given in items]
    assert item["fact"] == {"S": "failure#12"}
    assert item["error"] == {"S": error}
    assert item["expires_at"] == {"N": "1798372800"}


@pytest.mark.parametrize(
    ("resource", "error", "times"),
    [
        ("${SubmitShardFunctionArn}", "RateLimited", 20),
        ("${SubmitShardFunctionArn}", "ApiUnavailable", 20),
        ("${SubmitShardFunctionArn}", "Lambda.TooManyRequestsException", 64),
        ("${SubmitShardFunctionArn}", "AwsUnavailable", 6),
        ("${SubmitShardFunctionArn}", "Runtime.OutOfMemory", 3),
        ("${PollBatchFunctionArn}", "AwsUnavailable", 6),
        ("${PollBatchFunctionArn}", "Lambda.ClientExecutionTimeoutException", 3),
        ("${PollBatchFunctionArn}", "Sandbox.Timedout", 3),
        ("${CollectResultsFunctionArn}", "ResultsIncomplete", 8),
        ("${CollectResultsFunctionArn}", "MessageBatchLost", 8),
    ],
)
def test_passing_trouble_is_retried(resource: str, error: str, times: int) -> None:
    """An error that is known to pass is tried again, later and later, and the shard ends well."""
    service, failed = _failing(resource, error, times=times)
    walk = walked(service)
    assert len(failed) == times
    assert walk.visited[-1] == "Shard done"
    assert walk.events < MOST_EVENTS


def test_a_failure_that_cannot_be_recorded_still_ends_red() -> None:
    """A ledger out of reach does not turn a failed shard into a good one."""
    service, _ = _failing("${SubmitShardFunctionArn}", "SubmissionRefused")

    def task(resource: str, given: Any) -> Any:
        if "dynamodb" in resource:
            denied = "DynamoDB.AccessDeniedException"
            raise TaskError(denied)
        return service.task(resource, given)

    walk = Walker(CHILD["States"], task, service.wait).run(CHILD["StartAt"], item_of(requests=3, shards=1))
    assert (walk.visited[-1], walk.error) == ("Shard failed", "SubmissionRefused")


@pytest.mark.parametrize("verdict", ["accepted", "absent"])
def test_an_uncertain_submission_is_settled(verdict: str) -> None:
    """Looks, later and later, until it is known; then it is polled, or sent once more. It is no failure."""
    service, failed = _failing("${SubmitShardFunctionArn}", "SubmissionUncertain", times=1)
    service.settled = lambda state: verdict if state.looks == 3 else "open"
    walk = walked(service)
    assert len(failed) == 1
    look = ["Wait to settle", "Settle submission", "Is the submission settled?"]
    after = ["Wait for Message Batch", "Poll batch"] if verdict == "accepted" else ["Submit shard"]
    assert walk.visited[:3] == ["Anything to send?", "Which lane?", "Submit shard"]
    assert walk.visited[3 : 15 + len(after)] == look * 4 + after
    assert walk.visited[-1] == "Shard done"
    assert walk.visited.count("Submit shard") == (1 if verdict == "accepted" else 2)


def test_a_day_of_settling_fits_into_one_history() -> None:
    """A foreign Message Batch of the same size is followed for a day, and then the shard's own has its day."""
    service, _ = _failing("${SubmitShardFunctionArn}", "SubmissionUncertain", times=1)
    service._ends_after = DAY
    service.settled = lambda _state: "absent" if service.elapsed > DAY else "open"
    walk = walked(service)
    assert walk.visited[-1] == "Shard done"
    assert walk.seconds >= 2 * DAY
    assert walk.events < 2 * MOST_EVENTS
    assert walk.largest < 600


def test_settling_ends() -> None:
    """What cannot be told in 48 h ends the shard by name, with nothing sent again and a fifth of a history used."""
    service, failed = _failing("${SubmitShardFunctionArn}", "SubmissionUncertain")
    items: list[Any] = []
    walk = _with_ledger(service, items).run(CHILD["StartAt"], item_of(requests=3, shards=1))
    assert len(failed) == 1
    assert walk.visited.count("Settle submission") == MOST_LOOKS
    assert walk.visited[-2:] == ["Record shard failure", "Shard failed"]
    assert (walk.error, walk.cause) == (UNSETTLED.error, UNSETTLED.cause)
    assert items[0]["Item"]["error"] == {"S": "SubmissionUnsettled"}
    assert walk.seconds >= 2 * DAY
    assert walk.events < 2 * MOST_EVENTS


def test_a_redriven_or_resumed_shard_looks_as_often_again() -> None:
    """Its input is the Map's, which knows of no looks."""
    assert not {"looks", "all_looks"} & definition()["States"]["Send every shard"]["ItemSelector"].keys()


@pytest.mark.parametrize("looks", [1, 4, 300])
def test_answers_that_are_lost_again_and_again_end_too(looks: int) -> None:
    """Uncertain, absent, sent, uncertain: all the looks of an execution are bounded, and so is its history."""
    service, failed = _failing("${SubmitShardFunctionArn}", "SubmissionUncertain")
    service.settled = lambda state: "absent" if state.looks == looks else "open"
    walk = _with_ledger(service, []).run(CHILD["StartAt"], item_of(requests=3, shards=1))
    assert walk.error == "SubmissionUnsettled"
    assert walk.visited.count("Settle submission") in range(MOST_LOOKS_IN_ALL, MOST_LOOKS_IN_ALL + 2)
    assert len(failed) == walk.visited.count("Submit shard") == 1 + MOST_LOOKS_IN_ALL // (looks + 1)
    assert walk.events < AWS_MOST_EVENTS / 2
    assert walk.largest < 700


def test_usual_rounds_with_a_lost_answer_each_fit_into_one_history() -> None:
    """A foreign Message Batch followed for a day before each round, and each round to its expiry: half a history."""
    service = SlowService(jitter=0.0, rounds=DEFAULT_ROUNDS)
    lost: set[int] = set()

    def lose(resource: str) -> None:
        if "Submit" in resource and len(service.api.created) not in lost:
            lost.add(len(service.api.created))
            raise TaskError(error="SubmissionUncertain")

    service.fail = lose
    service.settled = lambda state: "absent" if state.looks == DAY // SETTLE_LONGEST_WAIT else "open"
    walk = walked(service)
    assert walk.visited[-1] == "Shard done"
    assert walk.visited.count("Settle submission") > DEFAULT_ROUNDS * DAY // SETTLE_LONGEST_WAIT
    assert walk.events < AWS_MOST_EVENTS * 2 / 3


@pytest.mark.parametrize("rounds", [2, DEFAULT_ROUNDS, MAX_ROUNDS])
def test_rounds_of_a_day_each_fit_into_one_history(rounds: int) -> None:
    """As many rounds as a recipe may ask for, each to its expiry, stay below AWS's 25,000 events."""
    service = SlowService(jitter=0.0, rounds=rounds)
    walk = walked(service)
    assert walk.visited.count("Submit shard") == walk.visited.count("Collect results") == rounds
    assert walk.visited[-1] == "Shard done"
    assert walk.events < min(rounds * MOST_EVENTS, AWS_MOST_EVENTS)
    assert walk.largest < 450


def test_a_queue_full_for_a_day_fits_into_one_history() -> None:
    """As many refusals as the submission may meet, and a day of polling after them."""
    [rule] = [rule for rule in CHILD["States"]["Submit shard"]["Retry"] if "RateLimited" in rule["ErrorEquals"]]
    service, failed = _failing("${SubmitShardFunctionArn}", "RateLimited", times=rule["MaxAttempts"])
    service._ends_after = DAY
    walk = walked(service)
    assert len(failed) == rule["MaxAttempts"]
    assert walk.visited[-1] == "Shard done"
    assert walk.seconds > 2 * DAY
    assert walk.events < 2 * MOST_EVENTS


def test_its_turn_comes_after_20_seconds() -> None:
    """A round that finds the queue full waits outside the function, and then is sent as if nothing had been."""
    service = SlowService(jitter=0.0, ends_after=5)
    service.turn_after = 1.0
    walk = walked(service)
    assert walk.visited[2:9] == [
        "Submit shard",
        "Is the shard submitted?",
        "Wait for its turn",
        "Which lane?",
        "Submit shard",
        "Is the shard submitted?",
        "Has the Message Batch ended?",
    ]
    assert walk.seconds == 20 + 15
    assert service.calls == 1 + 1 + 2


@pytest.mark.parametrize("jitter", JITTERS)
def test_days_of_waiting_for_its_turn_fit_into_one_history(jitter: float) -> None:
    """Three days in the line, then three rounds of a day each: eleven events a wait, a third of a history in all."""
    service = SlowService(jitter=jitter, rounds=DEFAULT_ROUNDS)
    service.turn_after = 3 * DAY
    walk = walked(service)
    assert walk.visited[-1] == "Shard done"
    assert walk.seconds >= 6 * DAY
    assert walk.visited.count("Wait for its turn") < 450
    assert walk.events < DEFAULT_ROUNDS * MOST_EVENTS + 11 * 450 < AWS_MOST_EVENTS / 1.5
    assert walk.largest < 450


def test_the_longest_waiting_fits_into_one_history() -> None:
    """After two weeks nobody waits any more: the API itself is asked, or the job ends. Rounds fit behind it."""
    service = SlowService(jitter=0.0, rounds=DEFAULT_ROUNDS)
    service.waits = MOST_WAITS
    walk = walked(service)
    assert walk.visited.count("Wait for its turn") == MOST_WAITS
    assert walk.seconds > 14 * DAY
    assert walk.events < AWS_MOST_EVENTS * 3 / 4


def test_what_must_not_be_asked_any_more_ends_the_waiting() -> None:
    """A halt is seen at the next look: the shard ends by its name."""
    service = SlowService(jitter=0.0)
    service.turn_after = DAY

    def fail(resource: str) -> None:
        if "Submit" in resource and service.elapsed > DAY / 2:
            raise TaskError(error="JobCanceled", cause=json.dumps({"errorMessage": "why"}))

    service.fail = fail
    walk = _with_ledger(service, []).run(CHILD["StartAt"], item_of(requests=3, shards=1))
    assert (walk.visited[-1], walk.error) == ("Shard failed", "JobCanceled")
    assert walk.seconds < DAY


def test_a_day_without_free_concurrency_fits_into_one_history() -> None:
    """Each poll is throttled for an hour before it runs: the tries are few enough for a day of them."""
    service = SlowService(jitter=0.0)
    tries: list[str] = []

    def throttle(resource: str) -> None:
        tries.append(resource)
        if len(tries) % 64:
            raise TaskError(error="Lambda.TooManyRequestsException")

    service.fail = throttle
    walk = walked(service)
    assert walk.visited[-1] == "Shard done"
    assert walk.seconds > DAY
    assert walk.events < AWS_MOST_EVENTS / 4


def test_the_walker_refuses_what_it_does_not_know() -> None:
    """A new state type or field fails these tests instead of being skipped by them."""
    for state in ({"Type": "Parallel"}, {"Type": "Wait", "Seconds": 5, "Next": "x"}):
        with pytest.raises(AssertionError, match="does not know"):
            Walker({"A": state}, lambda _resource, _given: None, lambda _seconds: None).run("A", {})


def test_errors_of_the_api_do_not_end_the_polling() -> None:
    """Hours without an answer from the API are waited out, with the history still far below its limit."""
    service = SlowService(jitter=0.0)

    def fail(resource: str) -> None:
        service.api.unreachable = ApiUnavailable("503") if "Poll" in resource and service.elapsed < DAY / 2 else None

    service.fail = fail
    walk = walked(service)
    assert walk.visited[-1] == "Shard done"
    assert walk.events < MOST_EVENTS
