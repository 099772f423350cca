"""collect_results: turn an ended Message Batch into leftovers for the next round, or the shard's part of the output."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.errors import RateLimited
from batchdrop.finish.collect_results import collect_results
from batchdrop.finish.show_progress import note_progress
from batchdrop.job.shard_state import ShardState, as_state

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a ShardState whose Message Batch ended. Return the next round's state if there are leftovers."""
    state = msgspec.convert(event, ShardState)
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    try:
        collected = collect_results(
            state,
            store=bootstrap.object_store(),
            ledger=bootstrap.ledger(),
            api=bootstrap.batch_reader,
            clock=bootstrap.clock(context),
            formats=bootstrap.formats(),
            states=bootstrap.shared_states(),
            live_rows=bootstrap.configuration().live_rows,
            answers=bootstrap.answer_store,
        )
    except RateLimited:
        metrics.add_metric("ApiThrottles", MetricUnit.Count, 1)
        raise
    if collected.tally is not None:
        metrics.add_metric("ShardRowsAnswered", MetricUnit.Count, collected.tally.answered)
        metrics.add_metric("ShardRowsUnusable", MetricUnit.Count, collected.tally.unusable)
        metrics.add_metric("ShardRowsFailed", MetricUnit.Count, collected.tally.failed)
        done = state.done(collected.tally, bootstrap.clock(context).now())
        note_progress(state.job_id, done, board=bootstrap.progress_board())
    logger.info("round collected", batch_id=state.batch_id, leftovers=collected.leftovers)
    after = state.collected(
        leftovers=collected.leftovers,
        lane=collected.lane,
        worst_usd=collected.worst_usd,
        escalates=collected.escalates,
    )
    return as_state(after.leaving(bootstrap.clock(context).now()) if collected.leftovers else after)
