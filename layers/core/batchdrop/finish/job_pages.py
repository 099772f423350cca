"""The pages of a job that ended: its report, and what stands where the running job's page stood."""

from __future__ import annotations

import logging

import msgspec

from batchdrop.finish.ports import Pages
from batchdrop.job.manifest import Manifest
from batchdrop.ports import Guard, ObjectStore
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary

REPORT, STATUS = "report.html", "status.html"

logger = logging.getLogger(__name__)


def write_pages(
    summary: Summary,
    manifest: Manifest | None,
    statistics: Statistics,
    *,
    pages: Pages,
    store: ObjectStore,
    is_last: Guard,
) -> Summary:
    """Write both pages; return the summary with the report's key in its outputs.

    A report that cannot be made costs the job nothing but the report: the key stays null, and the log tells why. What
    the store and `is_last` raise is raised.
    """
    key = f"{summary.results}{REPORT}"
    told = msgspec.structs.replace(summary, outputs=msgspec.structs.replace(summary.outputs, report=key))
    try:
        report, ended = pages.report(told, manifest, statistics), pages.ended(told)
    except Exception:  # a report must never cost the job its outputs, whatever breaks; the log has it whole
        logger.exception("there is no report of job %s; its outputs are written all the same", summary.job_id)
        return summary
    store.write(key, report, guard=is_last)
    store.write(f"{summary.results}{STATUS}", ended, guard=is_last)
    return told
