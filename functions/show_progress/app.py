"""show_progress: the page of a running job is drawn, for those that have news of it and no templates."""

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
    """Draw the page of a job, `{"job_id", "at"}`; it was running `at` that time, when somebody asked for it.

    Return `{"is_drawn"}`: not where a newer page stands already.
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
