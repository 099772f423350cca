"""The functions' settings, and the only reader of the environment.

The constants are the defaults of template.yaml's parameters of the same name (tests/asl/test_one_truth.py).
"""

import os
from dataclasses import dataclass

from batchdrop.limits import MAX_BATCH_REQUESTS

LEDGER_FILE_ENV = "BATCHDROP_LEDGER_FILE"
ENDPOINT_ENV = "BATCHDROP_ENDPOINT_URL"
COMMANDS_ENV = "BATCHDROP_COMMANDS"
ANSWERS_FILE_ENV = "BATCHDROP_ANSWERS_FILE"
CREDENTIALS_FILE_ENV = "BATCHDROP_CLAUDE_CREDENTIALS_FILE"

ANTHROPIC, AWS = "anthropic", "aws"
"""The values of Provider."""

QUEUE_REQUESTS = 200_000  # Message Batches API, lowest tier: requests of all Message Batches in the processing queue

SHARD_CONCURRENCY = 40  # shards of one job that are open at once
LIVE_CONCURRENCY = 10  # workers of the live lane at once
LIVE_ROWS = 200  # ours: so few answers cost less in the live lane than the wait for a Message Batch costs a person
LIVE_SHARE = 0.8  # of the API's rate limits; the rest is left to the key's other users
LIVE_WINDOW = 200  # open requests of one worker: at 1.2 s an answer some 160 a second, for a sixth of a vCPU
SETTLE_SECONDS = 300.0  # twice the lag of the list of Message Batches, which is one or two minutes
SPLIT_TIME_RESERVE = 60.0  # seconds that finish the open shard's upload and write the manifest


@dataclass(frozen=True, slots=True)
class Settings:
    """What template.yaml sets for the functions.

    `anthropic_base_url`: None means the SDK's own default.
    `shard_rows`: rows of one shard at most. `shard_concurrency`: shards of one job that are open at once.
    `split_time_reserve`: seconds of an invocation that split_upload keeps for finishing.
    `settle_seconds`: how long a Message Batch may take to be listed, counted from the end of the attempt to create it.
    `live_rows`: up to so many requests, `lane: auto` means the live lane.
    `live_window`: requests that one worker of the live lane has open.
    `live_share`: share (0 to 1) of the API's rate limits that all workers use together.
    `queue_requests`: requests that all jobs may have in the API's processing queue.
    `stack`: the CloudFormation stack's name, as events carry it.
    `provider`: `anthropic`, which takes an API key, or `aws`, where the function's role signs each call.
    `workspace`: the workspace that each call names; empty means that the key alone decides.
    `claude_credentials_file`: credentials that sign calls instead of the role's; only an embedded stack sets it.
    `show_progress_function`: the function that draws the pages of running jobs.
    `keep_raw_answers`: whether the API's own result lines are kept beside the results.
    `region`: the AWS region. `endpoint_url`: where commands find an embedded stack; empty on AWS.
    `commands`: the commands that go on with a job of `batchdrop run`, as JSON (report/commands.py).
    `ledger_file`: a SQLite file that holds the ledger; only an embedded stack with durable state sets it.
    `answers_file`: a SQLite file that holds the answer store; likewise.
    """

    bucket: str
    ledger_table: str
    state_machine_arn: str
    api_key_secret_arn: str
    anthropic_base_url: str | None
    shard_rows: int
    shard_concurrency: int
    split_time_reserve: float
    settle_seconds: float
    live_rows: int
    live_queue_url: str = ""
    live_window: int = LIVE_WINDOW
    live_share: float = LIVE_SHARE
    queue_requests: int = QUEUE_REQUESTS
    stack: str = ""
    show_progress_function: str = ""
    provider: str = ANTHROPIC
    workspace: str = ""
    claude_credentials_file: str = ""
    keep_raw_answers: bool = False
    ledger_file: str = ""
    region: str = ""
    endpoint_url: str = ""
    commands: str = ""
    answers_file: str = ""


def from_environment() -> Settings:
    """Read the settings. Raises KeyError with the variable's name where the template does not set the bucket."""
    env = os.environ
    return Settings(
        bucket=env["BUCKET_NAME"],
        ledger_table=env.get("LEDGER_TABLE", ""),
        state_machine_arn=env.get("STATE_MACHINE_ARN", ""),
        api_key_secret_arn=env.get("API_KEY_SECRET_ARN", ""),
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL") or None,
        shard_rows=int(env.get("SHARD_ROWS") or MAX_BATCH_REQUESTS),
        shard_concurrency=int(env.get("SHARD_CONCURRENCY") or SHARD_CONCURRENCY),
        live_rows=int(env.get("LIVE_ROWS") or LIVE_ROWS),
        settle_seconds=float(env.get("SETTLE_SECONDS") or SETTLE_SECONDS),
        live_queue_url=env.get("LIVE_QUEUE_URL", ""),
        live_share=float(env.get("LIVE_SHARE") or LIVE_SHARE),
        queue_requests=int(env.get("QUEUE_REQUESTS") or QUEUE_REQUESTS),
        stack=env.get("STACK_NAME", ""),
        show_progress_function=env.get("SHOW_PROGRESS_FUNCTION", ""),
        provider=env.get("CLAUDE_PROVIDER") or ANTHROPIC,
        claude_credentials_file=env.get(CREDENTIALS_FILE_ENV, ""),
        workspace=env.get("ANTHROPIC_WORKSPACE_ID", ""),
        keep_raw_answers=env.get("KEEP_RAW_ANSWERS", "false") != "false",
        ledger_file=env.get(LEDGER_FILE_ENV, ""),
        region=env.get("AWS_REGION", ""),
        endpoint_url=env.get(ENDPOINT_ENV, ""),
        commands=env.get(COMMANDS_ENV, ""),
        answers_file=env.get(ANSWERS_FILE_ENV, ""),
        split_time_reserve=float(env.get("SPLIT_TIME_RESERVE") or SPLIT_TIME_RESERVE),
    )
