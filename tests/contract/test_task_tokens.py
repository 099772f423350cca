"""What TaskTokens and Queue promise, on what AWS's own client sends and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from batchdrop.adapters.aws.sqs import SqsQueue
from batchdrop.adapters.aws.stepfunctions import MAX_CAUSE, StepFunctionsTaskTokens
from batchdrop.job.ports import TaskGone, TaskTokens
from tests.aws import client
from tests.live_fakes import FakeQueue, FakeTaskTokens

CALLS: dict[str, Callable[[TaskTokens], None]] = {
    "send_task_success": lambda tokens: tokens.succeed("t", b'{"answered":1}'),
    "send_task_failure": lambda tokens: tokens.fail("t", "AccountTrouble", "no key"),
    "send_task_heartbeat": lambda tokens: tokens.heartbeat("t"),
}
SENT: dict[str, Any] = {
    "send_task_success": {"taskToken": "t", "output": '{"answered":1}'},
    "send_task_failure": {"taskToken": "t", "error": "AccountTrouble", "cause": "no key"},
    "send_task_heartbeat": {"taskToken": "t"},
}


@pytest.mark.parametrize("call", CALLS)
def test_tokens_are_told(call: str) -> None:
    """Each word goes to Step Functions as it is."""
    states = client("stepfunctions")
    with Stubber(states) as stub:
        stub.add_response(call, {}, SENT[call])
        CALLS[call](StepFunctionsTaskTokens(states))
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", ["TaskTimedOut", "InvalidToken", "TaskDoesNotExist"])
def test_a_token_that_is_over_is_gone(call: str, code: str) -> None:
    """However Step Functions calls it."""
    states = client("stepfunctions")
    with Stubber(states) as stub:
        stub.add_client_error(call, code)
        with pytest.raises(TaskGone):
            CALLS[call](StepFunctionsTaskTokens(states))


@pytest.mark.parametrize("call", CALLS)
def test_other_errors_are_themselves(call: str) -> None:
    """A refusal that says nothing about the token is not mistaken for its end."""
    states = client("stepfunctions")
    with Stubber(states) as stub:
        stub.add_client_error(call, "AccessDeniedException")
        with pytest.raises(Exception, match="AccessDenied"):
            CALLS[call](StepFunctionsTaskTokens(states))


def test_a_long_cause_is_cut() -> None:
    """Step Functions refuses causes over 32,768 characters."""
    states = client("stepfunctions")
    with Stubber(states) as stub:
        stub.add_response("send_task_failure", {}, {"taskToken": "t", "error": "E", "cause": "é" * (MAX_CAUSE // 2)})
        StepFunctionsTaskTokens(states).fail("t", "E", "é" * 60_000)


def test_the_fake_ends_a_task_once() -> None:
    """As Step Functions, it takes one word for each token."""
    tokens = FakeTaskTokens()
    tokens.heartbeat("t")
    tokens.succeed("t", b"{}")
    for call in CALLS.values():
        with pytest.raises(TaskGone):
            call(tokens)


@mock_aws
def test_a_message_comes_out_as_it_went_in() -> None:
    """To the character, as the fake keeps it."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="live")["QueueUrl"]
    fake = FakeQueue()
    for queue in (SqsQueue(sqs, url), fake):
        queue.send('{"task_token": "é"}')
    [received] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert [received["Body"]] == fake.sent
    assert json.loads(received["Body"]) == {"task_token": "é"}
