"""The composition root: the only place that builds adapters.

SDKs are imported inside the functions on purpose, and the rooms' ports for their types alone, so that a Lambda function
pays only for what it uses. Adapters are kept for the next invocation of the same process.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from batchdrop import settings
from batchdrop.adapters.aws.clock import InvocationClock
from batchdrop.errors import AccountTrouble, AwsUnavailable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from batchdrop.adapters.claude.signing import RequestSigner
    from batchdrop.adapters.sqlite.fact_file import FactFile
    from batchdrop.admission.ports import SharedStates
    from batchdrop.answer_store.ports import AnswerStore
    from batchdrop.batch_lane.ports import BatchCreator, BatchReader
    from batchdrop.finish.ports import PageDrawer, Pages
    from batchdrop.job.ports import (
        Approvals,
        Formats,
        JobEvents,
        JobStarter,
        Ledger,
        OpenJobs,
        ProgressBoard,
        TaskTokens,
    )
    from batchdrop.live_lane.ports import Leases, MessageApi, Permits, Queue
    from batchdrop.ports import Clock, ObjectStore
    from batchdrop.report.commands import Commands

__all__ = [
    "answer_store",
    "approvals",
    "batch_creator",
    "batch_reader",
    "clock",
    "commands",
    "configuration",
    "formats",
    "job_events",
    "job_starter",
    "leases",
    "ledger",
    "live_queue",
    "message_api",
    "object_store",
    "open_jobs",
    "page_drawer",
    "pages",
    "permits",
    "progress_board",
    "shared_states",
    "task_tokens",
]

API_KEY_SECONDS = 300  # a rotated key is used after at most this long, or as soon as the API refuses the old one
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
def answer_store() -> AnswerStore:
    """Return the answer store: a file of the user's on an embedded stack with durable state, else the bucket."""
    if path := configuration().answers_file:
        from pathlib import Path

        from batchdrop.adapters.sqlite.answers import SqliteAnswerStore

        return SqliteAnswerStore(Path(path))
    from batchdrop.answer_store.bucket_store import BucketAnswerStore

    return BucketAnswerStore(object_store())


@cache
def ledger() -> Ledger:
    """Return the ledger."""
    from batchdrop.adapters.aws.dynamodb import DynamoLedger

    in_table = DynamoLedger(_ledger_table())
    if facts := _fact_file():
        from batchdrop.adapters.sqlite.ledger import SqliteLedger

        return SqliteLedger(facts, failures=in_table)
    return in_table


@cache
def approvals() -> Approvals:
    """Return the approvals of samples."""
    if facts := _fact_file():
        from batchdrop.adapters.sqlite.approvals import SqliteApprovals

        return SqliteApprovals(facts)
    from batchdrop.adapters.aws.dynamodb_approvals import DynamoApprovals

    return DynamoApprovals(_ledger_table())


@cache
def leases() -> Leases:
    """Return the leases of the live lane's slices."""
    if facts := _fact_file():
        from batchdrop.adapters.sqlite.live import SqliteLeases

        return SqliteLeases(facts)
    from batchdrop.adapters.aws.dynamodb_live import DynamoLeases

    return DynamoLeases(_ledger_table())


@cache
def permits() -> Permits:
    """Return the permits that all workers of the live lane share."""
    if facts := _fact_file():
        from batchdrop.adapters.sqlite.live import SqlitePermits

        return SqlitePermits(facts)
    from batchdrop.adapters.aws.dynamodb_live import DynamoPermits

    return DynamoPermits(_ledger_table())


@cache
def shared_states() -> SharedStates:
    """Return the states that shards share: the processing queue and their job's budget."""
    if facts := _fact_file():
        from batchdrop.adapters.sqlite.states import SqliteSharedStates

        return SqliteSharedStates(facts)
    from batchdrop.adapters.aws.dynamodb_states import DynamoSharedStates

    return DynamoSharedStates(_ledger_table())


@cache
def progress_board() -> ProgressBoard:
    """Return the board on which running jobs record their progress."""
    if facts := _fact_file():
        from batchdrop.adapters.sqlite.progress import SqliteProgressBoard

        return SqliteProgressBoard(facts)
    from batchdrop.adapters.aws.dynamodb_progress import DynamoProgressBoard

    return DynamoProgressBoard(_ledger_table())


@cache
def page_drawer() -> PageDrawer:
    """Return what has another function draw a running job's page."""
    from batchdrop.adapters.aws.lambda_pages import LambdaPageDrawer

    return LambdaPageDrawer(_client("lambda"), configuration().show_progress_function)


def pages() -> Pages:
    """Return the HTML pages. Only the report's charts need the formats layer."""
    from batchdrop.adapters.pages.html_pages import HtmlPages

    return HtmlPages(commands())


def commands() -> Commands:
    """Return how a user of this stack writes commands."""
    from batchdrop.report.commands import commands_of

    known = configuration()
    return commands_of(known.commands, endpoint_url=known.endpoint_url, stack=known.stack, region=known.region)


@cache
def live_queue() -> Queue:
    """Return the live lane's queue."""
    from batchdrop.adapters.aws.sqs import SqsQueue

    return SqsQueue(_client("sqs"), configuration().live_queue_url)


@cache
def task_tokens() -> TaskTokens:
    """Return what ends tasks that wait for a token."""
    from batchdrop.adapters.aws.stepfunctions import StepFunctionsTaskTokens

    return StepFunctionsTaskTokens(_client("stepfunctions"))


@cache
def job_starter() -> JobStarter:
    """Return what starts executions."""
    from batchdrop.adapters.aws.stepfunctions import StepFunctionsJobStarter

    return StepFunctionsJobStarter(_client("stepfunctions"), configuration().state_machine_arn)


@cache
def job_events() -> JobEvents:
    """Return what publishes the events of jobs."""
    from batchdrop.adapters.aws.eventbridge import EventBridgeJobEvents

    return EventBridgeJobEvents(_client("events"))


@cache
def open_jobs() -> OpenJobs:
    """Return the jobs that have not ended."""
    from batchdrop.adapters.aws.stepfunctions import StepFunctionsOpenJobs

    return StepFunctionsOpenJobs(_client("stepfunctions"), configuration().state_machine_arn)


def batch_reader() -> BatchReader:
    """Return what reads and cancels Message Batches, with the key that Secrets Manager holds, or the role.

    Raises AccountTrouble while the secret holds the template's placeholder, AwsUnavailable while it cannot be read.
    """
    return _batch_reader_with(_api_key())


def batch_creator() -> BatchCreator:
    """Return what also creates Message Batches. Its SDK takes long to import. Raises as batch_reader does."""
    return _batch_creator_with(_api_key())


def message_api() -> MessageApi:
    """Return the Messages API. Its connections stay warm. Raises as batch_reader does."""
    return _message_api_with(_api_key())


def _api_key(*, is_fresh: bool = False) -> str:
    """Return the API key; empty if the provider takes none. `is_fresh` reads it again even if it was read a moment ago.

    Raises as batch_reader does.
    """
    if configuration().provider == settings.AWS:
        return ""
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    secret = configuration().api_key_secret_arn
    try:
        key = _secrets().get(secret, max_age=API_KEY_SECONDS, force_fetch=is_fresh)
    except GetParameterError as error:  # Powertools wraps every error of the call
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
def _batch_reader_with(api_key: str) -> BatchReader:
    from batchdrop.adapters.claude.read_batches import HttpBatchReader

    return HttpBatchReader(**_access(api_key))


@lru_cache(maxsize=1)
def _batch_creator_with(api_key: str) -> BatchCreator:
    from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator

    return AnthropicBatchCreator(**_access(api_key))


@lru_cache(maxsize=1)
def _message_api_with(api_key: str) -> MessageApi:
    from batchdrop.adapters.claude.messages import AiohttpMessageApi

    return AiohttpMessageApi(**_access(api_key))


def _access(api_key: str) -> dict[str, Any]:
    """Return the arguments with which an adapter reaches the Claude API. `api_key` is empty if requests are signed."""
    known = configuration()
    if known.provider != settings.AWS:
        return {
            "api_key": api_key,
            "base_url": known.anthropic_base_url,
            "fresh_key": _fresh_api_key,
            "workspace": known.workspace,
        }
    from batchdrop.adapters.claude.signing import base_url_of

    signer = _signer()
    return {"signer": signer, "base_url": known.anthropic_base_url or base_url_of(signer.region)}


@cache
def _signer() -> RequestSigner:
    from batchdrop.adapters.claude.signing import RequestSigner

    known = configuration()
    if path := known.claude_credentials_file:
        from batchdrop.adapters.aws.credentials_file import credentials_of, region_of

        return RequestSigner(credentials_of(path), region=region_of(path), workspace=known.workspace)
    from batchdrop.adapters.aws.clients import credentials

    return RequestSigner(credentials(), region=known.region, workspace=known.workspace)


@cache
def _fact_file() -> FactFile | None:
    """Return the file that holds the ledger's facts; None if the DynamoDB table does, as it does on AWS."""
    path = configuration().ledger_file
    if not path:
        return None
    from pathlib import Path

    from batchdrop.adapters.sqlite.fact_file import FactFile

    return FactFile(Path(path))


@cache
def _ledger_table() -> Any:
    from batchdrop.adapters.aws.clients import table

    return table(configuration().ledger_table)


def _client(service: str) -> Any:
    from batchdrop.adapters.aws.clients import client

    return client(service)
