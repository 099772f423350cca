"""The composition root: the only place that builds adapters.

Imports of SDKs stand inside the functions on purpose, so that a Lambda pays only for what it uses; what is built is
kept for the next invocation of the same process.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from batchdrop import settings
from batchdrop.adapters.aws.clock import InvocationClock
from batchdrop.admission.ports import SharedStates
from batchdrop.batch_lane.ports import BatchApi, MessageBatches
from batchdrop.errors import AccountTrouble, AwsUnavailable
from batchdrop.finish.ports import PageDrawer, Pages
from batchdrop.job.ports import Approvals, Formats, JobEvents, JobStarter, Ledger, OpenJobs, ProgressBoard, TaskTokens
from batchdrop.live_lane.ports import Leases, MessageApi, Permits, Queue
from batchdrop.ports import Clock, ObjectStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from aws_lambda_powertools.utilities.typing import LambdaContext

__all__ = [
    "approvals",
    "batch_api",
    "clock",
    "configuration",
    "formats",
    "job_events",
    "job_starter",
    "leases",
    "ledger",
    "live_queue",
    "message_api",
    "message_batches",
    "object_store",
    "open_jobs",
    "page_drawer",
    "pages",
    "permits",
    "progress_board",
    "shared_states",
    "task_tokens",
]

API_KEY_SECONDS = 300  # a rotated key is picked up after at most this long, or when the API refuses the old one
PLACEHOLDER_KEY = "put-your-anthropic-api-key-here"  # what template.yaml creates the secret with


@cache
def configuration() -> settings.Settings:
    """Return the settings of this function."""
    return settings.from_environment()


def clock(context: LambdaContext) -> Clock:
    """Return the clock of this invocation."""
    return InvocationClock(context.get_remaining_time_in_millis)


def formats() -> Formats:
    """Return the file formats."""
    from batchdrop.adapters.formats.choice import FileFormats

    return FileFormats()


@cache
def object_store() -> ObjectStore:
    """Return the bucket."""
    from batchdrop.adapters.aws.s3 import S3ObjectStore

    return S3ObjectStore(_client("s3"), configuration().bucket)


@cache
def ledger() -> Ledger:
    """Return the ledger."""
    from batchdrop.adapters.aws.dynamodb import DynamoLedger

    return DynamoLedger(_ledger_table())


@cache
def approvals() -> Approvals:
    """Return what is known of samples' approvals."""
    from batchdrop.adapters.aws.dynamodb_approvals import DynamoApprovals

    return DynamoApprovals(_ledger_table())


@cache
def leases() -> Leases:
    """Return the leases of the live lane's slices."""
    from batchdrop.adapters.aws.dynamodb_live import DynamoLeases

    return DynamoLeases(_ledger_table())


@cache
def permits() -> Permits:
    """Return what the live lane's workers share of the API's rate limits."""
    from batchdrop.adapters.aws.dynamodb_live import DynamoPermits

    return DynamoPermits(_ledger_table())


@cache
def shared_states() -> SharedStates:
    """Return what the shards share of the processing queue and of their job's budget."""
    from batchdrop.adapters.aws.dynamodb_states import DynamoSharedStates

    return DynamoSharedStates(_ledger_table())


@cache
def progress_board() -> ProgressBoard:
    """Return where running jobs note how far they have come."""
    from batchdrop.adapters.aws.dynamodb_progress import DynamoProgressBoard

    return DynamoProgressBoard(_ledger_table())


@cache
def page_drawer() -> PageDrawer:
    """Return who draws running jobs' pages for those that cannot."""
    from batchdrop.adapters.aws.lambda_pages import LambdaPageDrawer

    return LambdaPageDrawer(_client("lambda"), configuration().show_progress_function)


def pages() -> Pages:
    """Return what makes the pages for people. Only the report's charts need the formats layer."""
    from batchdrop.adapters.pages.html_pages import HtmlPages

    return HtmlPages()


@cache
def live_queue() -> Queue:
    """Return the live lane's queue."""
    from batchdrop.adapters.aws.sqs import SqsQueue

    return SqsQueue(_client("sqs"), configuration().live_queue_url)


@cache
def task_tokens() -> TaskTokens:
    """Return what tells waiting tasks how they ended."""
    from batchdrop.adapters.aws.stepfunctions import StepFunctionsTaskTokens

    return StepFunctionsTaskTokens(_client("stepfunctions"))


@cache
def job_starter() -> JobStarter:
    """Return what starts executions."""
    from batchdrop.adapters.aws.stepfunctions import StepFunctionsJobStarter

    return StepFunctionsJobStarter(_client("stepfunctions"), configuration().state_machine_arn)


@cache
def job_events() -> JobEvents:
    """Return what tells of jobs' changes."""
    from batchdrop.adapters.aws.eventbridge import EventBridgeJobEvents

    return EventBridgeJobEvents(_client("events"))


@cache
def open_jobs() -> OpenJobs:
    """Return the jobs that have not ended."""
    from batchdrop.adapters.aws.stepfunctions import StepFunctionsOpenJobs

    return StepFunctionsOpenJobs(_client("stepfunctions"), configuration().state_machine_arn)


def message_batches() -> MessageBatches:
    """Return the Message Batches that there are, with the key as it stands in Secrets Manager.

    Raises AccountTrouble while the secret still holds the template's placeholder.
    """
    return _message_batches_with(_api_key())


def batch_api() -> BatchApi:
    """Return the whole Message Batches API, for what creates some; its SDK takes long to import. Raises likewise."""
    return _batch_api_with(_api_key())


def message_api() -> MessageApi:
    """Return the Messages API, likewise; its connections stay warm. Raises AccountTrouble likewise."""
    return _message_api_with(_api_key())


def _api_key(*, is_fresh: bool = False) -> str:
    """Return the key: the one that this process has read lately, or a fresh one.

    Raises AccountTrouble while there is none, AwsUnavailable while Secrets Manager does not answer.
    """
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    secret = configuration().api_key_secret_arn
    try:
        key = _secrets().get(secret, max_age=API_KEY_SECONDS, force_fetch=is_fresh)
    except GetParameterError as error:  # Powertools hides every error of the call in it
        if isinstance(error.__context__, AwsUnavailable):
            raise error.__context__ from None
        raise
    text = key.decode() if isinstance(key, bytes) else str(key)
    if text.strip() in {"", PLACEHOLDER_KEY}:
        message = (
            "there is no API key yet. Put it into the secret: "
            f"aws secretsmanager put-secret-value --secret-id {secret} --secret-string <your key>"
        )
        raise AccountTrouble(message)
    return text.strip()


def _fresh_api_key() -> str:
    return _api_key(is_fresh=True)


@cache
def _secrets() -> SecretsProvider:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

    return SecretsProvider(boto3_client=_client("secretsmanager"))


@lru_cache(maxsize=1)
def _message_batches_with(api_key: str) -> MessageBatches:
    from batchdrop.adapters.claude.read_batches import HttpMessageBatches

    return HttpMessageBatches(api_key=api_key, base_url=configuration().anthropic_base_url, fresh_key=_fresh_api_key)


@lru_cache(maxsize=1)
def _batch_api_with(api_key: str) -> BatchApi:
    from batchdrop.adapters.claude.create_batch import AnthropicBatchApi

    return AnthropicBatchApi(api_key=api_key, base_url=configuration().anthropic_base_url, fresh_key=_fresh_api_key)


@lru_cache(maxsize=1)
def _message_api_with(api_key: str) -> MessageApi:
    from batchdrop.adapters.claude.messages import AiohttpMessageApi

    return AiohttpMessageApi(api_key=api_key, base_url=configuration().anthropic_base_url, fresh_key=_fresh_api_key)


@cache
def _ledger_table() -> Any:
    from batchdrop.adapters.aws.clients import table

    return table(configuration().ledger_table)


def _client(service: str) -> Any:
    from batchdrop.adapters.aws.clients import client

    return client(service)
