"""submit_shard: create one Message Batch for a shard, once."""

import random
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.admission.admission import Admission, MustWait, PlanAgain
from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.batch_lane.submit_shard import submit_shard
from batchdrop.errors import RateLimited
from batchdrop.job.polling import poll_seconds
from batchdrop.job.shard_state import ShardState, as_state
from batchdrop.ports import Clock

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a ShardState. Return it with the Message Batch's id, or with the seconds to wait for its turn."""
    state = msgspec.convert(event, ShardState)
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    clock = bootstrap.clock(context)
    if state.leaving(clock.now()).left:
        logger.info("pilot left unsent")
        return as_state(state.leaving(clock.now()))
    try:
        submitted = submit_shard(
            state,
            store=bootstrap.object_store(),
            ledger=bootstrap.ledger(),
            api=bootstrap.batch_creator(),
            clock=clock,
            admission=_admission(state, clock),
        )
    except RateLimited:
        metrics.add_metric("ApiThrottles", MetricUnit.Count, 1)
        raise
    if isinstance(submitted, PlanAgain):
        logger.info("round is planned again")
        return as_state(state.planned_again())
    if isinstance(submitted, MustWait):
        logger.info(
            "shard waits for its turn", waits_for=submitted.waits_for, waits=state.waits, wait=submitted.seconds
        )
        return as_state(state.waiting(submitted.waits_for, wait_seconds=submitted.seconds))
    open_shards = min(state.shards, bootstrap.configuration().shard_concurrency)
    if not submitted.is_collected:  # such a round was sent before, or sends nothing
        metrics.add_metric("RequestsSubmitted", MetricUnit.Count, state.requests)
    logger.info("shard submitted", batch_id=submitted.batch_id, requests=state.requests)
    wait = poll_seconds(0, open_shards=open_shards, jitter=random.random())
    return as_state(state.submitted(submitted.batch_id, is_collected=submitted.is_collected, wait_seconds=wait))


def _admission(state: ShardState, clock: Clock) -> Admission:
    return Admission(
        state,
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        places=QueuePlaces(bootstrap.shared_states(), clock, bootstrap.configuration().queue_requests),
        clock=clock,
        jitter=random.random,
    )
