"""poll_batch: poll a shard's Message Batch once."""

import random
from contextlib import suppress
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.poll_batch import poll_batch
from batchdrop.errors import LedgerContended
from batchdrop.finish.show_progress import show_progress
from batchdrop.job.shard_state import ShardState, as_state
from batchdrop.ports import Clock

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a ShardState. Return it with `ended`, or with the seconds to wait before the next poll."""
    state = msgspec.convert(event, ShardState)
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    clock = bootstrap.clock(context)
    answer = poll_batch(
        state.job_id,
        state.batch_id,
        state.polls,
        open_shards=min(state.shards, bootstrap.configuration().shard_concurrency),
        round_number=state.round,
        deadline=state.deadline,
        ledger=bootstrap.ledger(),
        api=bootstrap.batch_reader(),
        clock=clock,
        jitter=random.random,
    )
    if answer.ended:
        with suppress(LedgerContended):  # the processing queue drops the place after a day
            _places(clock).leave(state.job_id, state.shard, state.round)
    if answer.batch is not None:
        _show(state, answer.batch, clock)
    metrics.add_metric("Polls", MetricUnit.Count, 1)
    logger.info("polled", batch_id=state.batch_id, polls=state.polls, ended=answer.ended, wait=answer.wait_seconds)
    polled = state.polled(ended=answer.ended, wait_seconds=answer.wait_seconds)
    return as_state(polled if answer.ended else polled.leaving(clock.now()))


def _places(clock: Clock) -> QueuePlaces:
    return QueuePlaces(bootstrap.shared_states(), clock, bootstrap.configuration().queue_requests)


def _show(state: ShardState, batch: MessageBatch, clock: Clock) -> None:
    """Show people the shard's progress."""
    show_progress(
        state.job_id,
        state.progress(batch, clock.now()),
        board=bootstrap.progress_board(),
        ledger=bootstrap.ledger(),
        store=bootstrap.object_store,
        pages=bootstrap.pages,
        clock=clock,
    )
