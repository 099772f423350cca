"""show_progress: draw the page of a running job, for workers of the live lane, which carry no templates."""

from datetime import datetime

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.errors import JobClosedSince
from batchdrop.finish.show_progress import draw_page
from batchdrop.ports import ObjectChanged

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, bool]:  # noqa: ARG001 - Lambda's signature
    """Take `{"job_id", "at"}` and draw the job's page. The job was running `at` that time.

    Return `{"is_drawn"}`, which is false if a newer page exists already.
    """
    job_id = event["job_id"]
    logger.append_keys(job_id=job_id)
    try:
        draw_page(
            job_id,
            datetime.fromisoformat(event["at"]),
            board=bootstrap.progress_board(),
            ledger=bootstrap.ledger(),
            store=bootstrap.object_store(),
            pages=bootstrap.pages(),
        )
    except (JobClosedSince, ObjectChanged):
        logger.info("a newer page stands")
        return {"is_drawn": False}
    logger.info("page drawn")
    return {"is_drawn": True}
