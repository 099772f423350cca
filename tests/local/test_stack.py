"""The embedded stack runs a template: events, jobs, errors, logs, stats, and no way to an account."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from batchdrop.local.stack import EmbeddedStack, StackError, StackOptions
from tests.local.conftest import USERS_OWN
from tests.local.polling import eventually

pytestmark = pytest.mark.stack


def _drop(stack: EmbeddedStack, key: str, shards: list[dict[str, str]]) -> None:
    stack.clients.s3().put_object(Bucket=stack.bucket, Key=key, Body=json.dumps(shards).encode())


def _finished_job(stack: EmbeddedStack, name: str, shards: list[dict[str, str]]) -> dict[str, Any]:
    """Drop a file and wait until its job has ended."""
    _drop(stack, f"inbox/recipe/{name}.json", shards)
    arn = f"{stack.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    states = stack.clients.stepfunctions()

    def ended() -> dict[str, Any] | None:
        try:
            found = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return dict(found) if found["status"] != "RUNNING" else None

    return eventually(ended, what=f"the end of job {name}") or {}


def _shard_errors(stack: EmbeddedStack, job: dict[str, Any]) -> list[str]:
    states = stack.clients.stepfunctions()
    (run,) = states.list_map_runs(executionArn=job["executionArn"])["mapRuns"]
    children = states.list_executions(mapRunArn=run["mapRunArn"], statusFilter="FAILED")["executions"]
    return [states.describe_execution(executionArn=child["executionArn"])["error"] for child in children]


def test_upload_runs_a_job(stack: EmbeddedStack) -> None:
    """An object under the prefix starts the function, the state machine and its Distributed Map."""
    job = _finished_job(stack, "good", [{"do": "ok"}, {"do": "ok"}])
    assert job["status"] == "SUCCEEDED"
    assert json.loads(job["output"])["title"] == f"good of {stack.bucket}"


def test_errors_keep_their_names(stack: EmbeddedStack) -> None:
    """Retry and Catch match a function's exceptions by their class names, as on AWS."""
    job = _finished_job(stack, "errors", [{"do": "ok"}, {"do": "busy"}, {"do": "broken"}])
    assert job["status"] == "SUCCEEDED"
    assert _shard_errors(stack, job) == ["ShardBusyError"]  # ShardBrokenError was caught


def test_failed_job_is_red(stack: EmbeddedStack) -> None:
    """A Fail state gives its error and cause."""
    job = _finished_job(stack, "please-fail", [{"do": "ok"}])
    assert (job["status"], job["error"], job["cause"]) == ("FAILED", "JobFailed", "its name says fail")


def test_functions_see_nothing_of_the_user(stack: EmbeddedStack) -> None:
    """No credentials, profile or key of the user reach a function; the template's parameters do."""
    _finished_job(stack, "environment", [{"do": "ok"}])
    stored = stack.clients.s3().get_object(Bucket=stack.bucket, Key="env/environment-0")["Body"].read().decode()
    seen = dict(line.split("=", 1) for line in stored.splitlines())
    assert not set(seen.values()) & set(USERS_OWN.values())
    assert "AWS_PROFILE" not in seen
    assert seen["AWS_ENDPOINT_URL"] == stack.endpoint_url
    assert seen["ANTHROPIC_BASE_URL"] == stack.claude_base_url
    assert seen["GREETING"] == "good day"


def test_failed_event_reaches_the_dead_letter_queue(stack: EmbeddedStack) -> None:
    """An upload whose function fails each time ends in the queue, with its original event."""
    _drop(stack, "inbox/recipe/crash ü+1.json", [])
    queue = stack.client("sqs")
    url = stack.outputs["DeadLetterQueueUrl"]
    (message,) = eventually(lambda: queue.receive_message(QueueUrl=url).get("Messages"), what="the message")
    failure = json.loads(message["Body"])
    assert failure["responsePayload"]["errorType"] == "RuntimeError"
    key = failure["requestPayload"]["Records"][0]["s3"]["object"]["key"]
    assert key == "inbox/recipe/crash+%C3%BC%2B1.json"


def test_objects_outside_the_inbox_start_nothing(stack: EmbeddedStack) -> None:
    """The notification's prefix filter holds."""
    _drop(stack, "elsewhere/outside.json", [{"do": "ok"}])
    _finished_job(stack, "inside", [{"do": "ok"}])
    executions = stack.clients.stepfunctions().list_executions(stateMachineArn=stack.state_machine_arn)
    assert "outside" not in [one["name"] for one in executions["executions"]]


def test_api_key_is_in_the_secret(stack: EmbeddedStack) -> None:
    """Functions find some key to send to the emulator."""
    secret = stack.clients.secretsmanager().get_secret_value(SecretId=stack.outputs["ApiKeySecretArn"])
    assert secret["SecretString"].startswith("sk-ant-")


def test_function_stats(stack: EmbeddedStack) -> None:
    """Memory and CPU time are known by the function's name in the template."""
    _finished_job(stack, "measured", [{"do": "ok"}])
    stats = eventually(lambda: {one.function: one for one in stack.function_stats()}, what="stats")
    assert "SplitUploadFunction" in stats
    assert 5 < stats["SplitUploadFunction"].peak_rss_mb < 512
    assert stats["SplitUploadFunction"].cpu_seconds > 0


def test_function_logs(stack: EmbeddedStack) -> None:
    """What functions print is in files of the log directory, on demand."""
    _finished_job(stack, "logged", [{"do": "broken"}])
    texts = {path.name: path.read_text() for path in stack.write_function_logs()}
    assert any("shard 0 broken" in text and "ShardBrokenError" in text for text in texts.values())


def test_clients_and_resources(stack: EmbeddedStack) -> None:
    """Both kinds of boto3's objects reach the stack, whatever the user's profile is."""
    assert stack.clients.resource("dynamodb").Table(stack.ledger_table).item_count == 0
    assert stack.client("s3").head_bucket(Bucket=stack.bucket)


def test_two_stacks_side_by_side(stack: EmbeddedStack, template: Path) -> None:
    """A second stack shares nothing with the first."""
    with EmbeddedStack(StackOptions(template=template)) as second:
        assert second.endpoint_url != stack.endpoint_url
        assert second.claude_base_url != stack.claude_base_url
        assert (
            second.clients.stepfunctions().list_executions(stateMachineArn=second.state_machine_arn)["executions"] == []
        )
    stack.check_alive()


def test_real_service_instead_of_the_emulator(template: Path) -> None:
    """With a base URL and a key of one's own no emulator runs, and the key is where the functions look."""
    options = StackOptions(
        template=template, anthropic_base_url="https://service.example", anthropic_api_key="sk-ant-mine"
    )
    with EmbeddedStack(options) as own:
        assert own.claude_base_url == "https://service.example"
        secret = own.clients.secretsmanager().get_secret_value(SecretId=own.outputs["ApiKeySecretArn"])
        assert secret["SecretString"] == "sk-ant-mine"
        assert not (own.log_dir / "claude_api.log").exists()


def test_stack_that_ended_says_so(template: Path, tmp_path: Path) -> None:
    """After the end, and before the start, `check_alive` raises and names the logs."""
    ended = EmbeddedStack(StackOptions(template=template, log_dir=tmp_path))
    with pytest.raises(StackError, match=str(tmp_path)):
        ended.check_alive()
    ended.shutdown()


def test_taken_port(template: Path, tmp_path: Path) -> None:
    """A port asked for by number that somebody has is an error that says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = StackOptions(template=template, ministack_port=port, log_dir=tmp_path)
        with pytest.raises(StackError, match=f"{port} is already in use"):
            EmbeddedStack(options).start()


def test_template_that_cannot_be_deployed(template: Path) -> None:
    """The error names what CloudFormation refused."""
    options = StackOptions(template=template, overrides={"Alarms": "maybe"})
    with pytest.raises(StackError, match="Alarms"):
        EmbeddedStack(options).start()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"wait_scale": 0.0}, "wait_scale"), ({"anthropic_base_url": "https://a.example"}, "anthropic_api_key")],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    """They are refused before anything starts."""
    with pytest.raises(ValueError, match=words):
        StackOptions(**options)
