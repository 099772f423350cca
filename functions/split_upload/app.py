"""split_upload: an upload event starts its job; the job's state machine has the file split, as often as it takes."""

from dataclasses import asdict
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.adapters.s3_event import uploads_in
from batchdrop.domain.manifest import UploadRecord
from batchdrop.domain.sharding import ShardLimits
from batchdrop.usecases.split_upload import split_upload
from batchdrop.usecases.start_job import start_job

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take S3's event, or a task of a job's state machine: `{"upload": UploadRecord}`."""
    return _split(event["upload"], context) if "upload" in event else _start(event)


def _start(event: dict[str, Any]) -> dict[str, Any]:
    started = []
    for upload in uploads_in(event):
        record = start_job(upload, jobs=bootstrap.job_starter())
        started += [record.job_id] if record else []
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
    )
    metrics.add_metric("RequestsSplit", MetricUnit.Count, progress.requests if progress.finished else 0)
    logger.info("upload split", finished=progress.finished, rows=progress.rows, shards=progress.shards)
    return asdict(progress)
