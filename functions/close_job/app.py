"""close_job: close every job, good or bad."""

from contextlib import suppress
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.errors import AwsUnavailable, JobCanceled, JobClosedSince, JobFailed, LedgerContended
from batchdrop.finish.close_job import close_job
from batchdrop.finish.spent_before import spent_before
from batchdrop.job.job_event import job_ended
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.retry import later_version
from batchdrop.job.tell_job_state import tell_job_state
from batchdrop.ports import Clock
from batchdrop.report.job_figures import Spent, figures
from batchdrop.report.summary import Fault, Summary, fault_of

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | int:
    """Close `{"upload", "fault"?}` and return how the job ended, or end `{"upload", "closed", "redrives", …}` red."""
    upload = msgspec.convert(event["upload"], UploadRecord)
    logger.append_keys(job_id=upload.job_id)
    return _end_red(event, upload) if "closed" in event else _close(event.get("fault"), upload, context)


def _close(caught: dict[str, str] | None, upload: UploadRecord, context: LambdaContext) -> dict[str, Any]:
    clock = bootstrap.clock(context)
    fault = fault_of(caught["Error"], caught.get("Cause", "")) if caught else None
    try:
        before = spent_before(upload, store=bootstrap.object_store())
        summary = _closed(upload, fault, clock)
    except (AwsUnavailable, JobClosedSince):  # the state machine retries; a later attempt closes the job
        raise
    except Exception:
        metrics.add_metric("JobsNotClosed", MetricUnit.Count, 1)  # nothing retries it, so the alarm needs no second one
        raise
    with suppress(LedgerContended):  # the queue drops the places that remain after a day
        QueuePlaces(bootstrap.shared_states(), clock, bootstrap.configuration().queue_requests).leave_all(upload.job_id)
    _note(upload, summary, before)
    first = summary.faults[0] if summary.faults else None
    return {
        "status": summary.status,
        "results": summary.results,
        "error": first.type if first else "",
        "cause": f"{first.message} ({len(summary.faults)} in all; see {summary.results}summary.json)" if first else "",
    }


def _closed(upload: UploadRecord, fault: Fault | None, clock: Clock) -> Summary:
    return close_job(
        upload,
        fault,
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        clock=clock,
        formats=bootstrap.formats(),
        pages=bootstrap.pages(),
        keeps_answers=bootstrap.configuration().keep_raw_answers,
        answers=bootstrap.answer_store,
    )


def _note(upload: UploadRecord, summary: Summary, before: Spent) -> None:
    """Count the job and publish its end. The results are complete even if the event is lost."""
    for name, value in figures(summary, before).items():
        metrics.add_metric(name, MetricUnit.Count, value)
    tally = summary.tally
    logger.info(
        "job closed",
        status=summary.status,
        answered=tally.answered,
        unusable=tally.unusable,
        failed=tally.failed,
        rejected=tally.rejected,
    )
    event = job_ended(upload, summary, stack=bootstrap.configuration().stack, commands=bootstrap.commands())
    untold = tell_job_state(event, events=bootstrap.job_events())
    metrics.add_metric("JobEventsLost", MetricUnit.Count, bool(untold))
    if untold:
        logger.error("job event lost", state=event.state, why=untold)


def _end_red(event: dict[str, Any], upload: UploadRecord) -> int:
    """Raise the job's end. In a redriven execution return the RedriveCount instead, and the job goes on."""
    redrives: int = event["redrives"] or 0
    known = event["known_redrives"]
    if redrives > known:
        if later := later_version(upload.job_id, bootstrap.object_store()):
            raise JobFailed(f"job {upload.job_id} has a later version, {later}, which may have sent its rows")
        bootstrap.ledger().lift(upload.job_id)
        logger.info("job redriven", redrives=redrives)
        return redrives
    metrics.add_metric("RedEnds", MetricUnit.Count, 1)  # not a failure of this function: the alarm subtracts it
    closed = event["closed"]
    raise (JobCanceled if closed["status"] == "canceled" else JobFailed)(f"{closed['error']}: {closed['cause']}")
