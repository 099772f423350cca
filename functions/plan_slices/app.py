"""plan_slices: cut one round of a shard into slices for the live lane."""

import random
from dataclasses import asdict
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.admission.admission import Admission, MustWait, PlanAgain
from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.finish.show_progress import note_progress
from batchdrop.job.shard_state import ShardState, as_state
from batchdrop.live_lane.plan_slices import plan_slices
from batchdrop.ports import Clock

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a ShardState of the live lane. Return it with the round's slices, or with the seconds to wait."""
    clock = bootstrap.clock(context)
    state = msgspec.convert(event, ShardState).going_live(clock.now())
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    plans = plan_slices(
        state.job_id,
        state.shard,
        state.round,
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        admission=_admission(state, clock),
        until=state.live_until,
        clock=clock,
    )
    if isinstance(plans, PlanAgain):
        logger.info("round is planned again")
        return as_state(state.planned_again())
    if isinstance(plans, MustWait):
        logger.info("round waits for its turn", waits_for=plans.waits_for, waits=state.waits, wait=plans.seconds)
        waiting = state.waiting(plans.waits_for, wait_seconds=plans.seconds)
        return as_state(waiting.leaving(clock.now()))
    requests = sum(plan.requests for plan in plans)
    if plans:
        begun = state.begins_live(requests, clock.now())
        note_progress(state.job_id, begun, board=bootstrap.progress_board())
    metrics.add_metric("RequestsSliced", MetricUnit.Count, requests)
    logger.info("round sliced", slices=len(plans))
    return as_state(state.sliced([asdict(plan) for plan in plans]))


def _admission(state: ShardState, clock: Clock) -> Admission:
    return Admission(
        state,
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        places=QueuePlaces(bootstrap.shared_states(), clock, bootstrap.configuration().queue_requests),
        clock=clock,
        jitter=random.random,
    )
