"""Start a task of the embedded stack that waits for its token, which can end it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

NAME = "invoke-waiting-task"
YEAR = 31_536_000
ROLE = "arn:aws:iam::000000000000:role/any"  # the embedded stack does not check it


def token_of_waiting_task(client: Callable[[str], Any]) -> str:
    """Start an execution whose only task waits for its token; return the token. `client` makes boto3 clients."""
    states, queues = client("stepfunctions"), client("sqs")
    url = queues.create_queue(QueueName=NAME)["QueueUrl"]
    machine = states.create_state_machine(name=NAME, definition=json.dumps(_definition(url)), roleArn=ROLE)
    states.start_execution(stateMachineArn=machine["stateMachineArn"])
    while True:
        for message in queues.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []):
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            token: str = json.loads(message["Body"])["task_token"]
            return token


def _definition(queue_url: str) -> dict[str, Any]:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue_url, "MessageBody": {"task_token.$": "$$.Task.Token"}},
        "TimeoutSeconds": YEAR,  # the stack's clock runs faster
        "End": True,
    }
    return {"StartAt": "Wait", "States": {"Wait": task}}
