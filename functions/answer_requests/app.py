"""answer_requests: answer the slices that the live lane's queue delivers."""

from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.finish.request_page import request_page
from batchdrop.live_lane.serve_slice import LiveParts, Served, serve_slice
from batchdrop.live_lane.slice import SliceCounts

logger = Logger()
metrics = Metrics()
processor = AsyncBatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Serve the messages of an SQS event concurrently. Return those that SQS must deliver again."""
    parts = _parts(context)

    async def serve(record: SQSRecord) -> None:
        try:
            served = await serve_slice(record.body, parts)
        except Exception:
            logger.exception("message to come again", message_id=record.message_id)
            raise
        _note(record.message_id, served)

    return async_process_partial_response(event, serve, processor, context)


def _parts(context: LambdaContext) -> LiveParts:
    settings, clock = bootstrap.configuration(), bootstrap.clock(context)
    return LiveParts(
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        leases=bootstrap.leases(),
        permits=bootstrap.permits(),
        tokens=bootstrap.task_tokens(),
        queue=bootstrap.live_queue(),
        clock=clock,
        api=bootstrap.message_api,
        window=settings.live_window,
        share=settings.live_share,
        show=partial(request_page, board=bootstrap.progress_board(), drawer=bootstrap.page_drawer, clock=clock),
    )


def _note(message_id: str, served: Served) -> None:
    counts = served.counts or SliceCounts(0, 0, 0, 0, 0, 0, 0)
    metrics.add_metric("LiveRequestsSent", MetricUnit.Count, counts.asked)
    metrics.add_metric("LiveRequestsUncertain", MetricUnit.Count, counts.uncertain)
    metrics.add_metric("ApiThrottles", MetricUnit.Count, counts.throttled)
    log = logger.info if served.ending in {"done", "handed back"} else logger.warning
    log("slice served", message_id=message_id, outcome=served.ending, error=served.error, counts=served.counts)
