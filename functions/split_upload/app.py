"""split_upload: start the job of an upload event, and split its file for the job's state machine."""

from dataclasses import asdict
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.adapters.aws.s3_event import uploads_in
from batchdrop.job.job_event import JobEvent, job_split, job_started
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.start_job import start_job
from batchdrop.job.tell_job_state import tell_job_state
from batchdrop.recipe.models import OWN_API
from batchdrop.requests.sharding import ShardLimits
from batchdrop.split.split_upload import split_upload

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take S3's event, or a task of a job's state machine: `{"upload": UploadRecord}`."""
    return _split(event["upload"], context) if "upload" in event else _start(event, context)


def _start(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    started = []
    stack, now = bootstrap.configuration().stack, bootstrap.clock(context).now()
    for upload in uploads_in(event):
        record = start_job(upload, jobs=bootstrap.job_starter(), now=now)
        if record:
            started.append(record.job_id)
            _tell(job_started(record, stack=stack, at=now))
        logger.info("upload seen", job_id=upload.job_id, started=record is not None)
    metrics.add_metric("JobsStarted", MetricUnit.Count, len(started))
    return {"jobs_started": started}


def _split(fields: object, context: LambdaContext) -> dict[str, Any]:
    upload = msgspec.convert(fields, UploadRecord)
    logger.append_keys(job_id=upload.job_id)
    settings = bootstrap.configuration()
    progress = split_upload(
        upload,
        store=bootstrap.object_store(),
        clock=bootstrap.clock(context),
        formats=bootstrap.formats(),
        limits=ShardLimits(max_rows=settings.shard_rows),
        time_reserve=settings.split_time_reserve,
        live_rows=settings.live_rows,
        knows_models=settings.anthropic_base_url in {None, OWN_API},
        answers=bootstrap.answer_store,
    )
    metrics.add_metric("RequestsSplit", MetricUnit.Count, progress.requests if progress.finished else 0)
    logger.info("upload split", finished=progress.finished, rows=progress.rows, shards=progress.shards)
    if progress.finished:
        counts = {"requests": progress.requests, "shards": progress.shards}
        _tell(job_split(upload, stack=settings.stack, at=bootstrap.clock(context).now(), **counts))
    return asdict(progress)


def _tell(event: JobEvent) -> None:
    """Publish the job's new state. The job continues if that fails."""
    untold = tell_job_state(event, events=bootstrap.job_events())
    metrics.add_metric("JobEventsLost", MetricUnit.Count, bool(untold))
    if untold:
        logger.error("job event lost", job_id=event.job_id, state=event.state, why=untold)
