"""The functions' settings: the only reader of the environment."""

import os
from dataclasses import dataclass

from batchdrop.limits import MAX_BATCH_REQUESTS, QUEUE_REQUESTS

SETTLE_SECONDS = 300.0  # Message Batches: what is created is listed after one or two minutes; taken twice over
LIVE_WINDOW = 200  # open requests of one worker: at 1.2 s an answer some 160 a second, for a twentieth of a vCPU's time
LIVE_ROWS = 200  # ours: so few answers cost less in the live lane than anybody's waiting for a Message Batch
LIVE_SHARE = 0.5  # of the API's rate limits; the rest is left to the key's other users
SPLIT_TIME_RESERVE = 60.0  # seconds kept to finish the open shard's upload and to write the manifest


@dataclass(frozen=True, slots=True)
class Settings:
    """What template.yaml tells the functions. `anthropic_base_url` None means the SDK's own default.

    `live_rows` is up to how many requests `lane: auto` means the live lane. `settle_seconds` is how long a Message
    Batch may take to be listed after the attempt to create it has ended. `split_time_reserve` is the seconds of an
    invocation that split_upload keeps for finishing. `live_share` (0 to 1) is how much of the API's rate limits the
    live lane's workers use all together, `live_window` how many requests one of them has open. `queue_requests` is how
    many requests all jobs may have in the API's processing queue, `stack` the CloudFormation stack's name, as events
    tell it, `show_progress_function` the function that draws running jobs' pages.
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


def from_environment() -> Settings:
    """Read the settings. Raises KeyError with the variable's name where the template forgot one."""
    env = os.environ
    return Settings(
        bucket=env["BUCKET_NAME"],
        ledger_table=env.get("LEDGER_TABLE", ""),
        state_machine_arn=env.get("STATE_MACHINE_ARN", ""),
        api_key_secret_arn=env.get("API_KEY_SECRET_ARN", ""),
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL") or None,
        shard_rows=int(env.get("SHARD_ROWS") or MAX_BATCH_REQUESTS),
        shard_concurrency=int(env.get("SHARD_CONCURRENCY") or 1),
        live_rows=int(env.get("LIVE_ROWS") or LIVE_ROWS),
        settle_seconds=float(env.get("SETTLE_SECONDS") or SETTLE_SECONDS),
        live_queue_url=env.get("LIVE_QUEUE_URL", ""),
        live_window=int(env.get("LIVE_WINDOW") or LIVE_WINDOW),
        live_share=float(env.get("LIVE_SHARE") or LIVE_SHARE),
        queue_requests=int(env.get("QUEUE_REQUESTS") or QUEUE_REQUESTS),
        stack=env.get("STACK_NAME", ""),
        show_progress_function=env.get("SHOW_PROGRESS_FUNCTION", ""),
        split_time_reserve=float(env.get("SPLIT_TIME_RESERVE") or SPLIT_TIME_RESERVE),
    )
