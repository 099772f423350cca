"""Write the pages of an ended job: its report, and the page that replaces the running job's page."""

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

    If the report cannot be drawn, the job still gets its outputs. Its key stays null, and the log has the reason.
    Raises the errors of the store and of `is_last`.
    """
    key = f"{summary.results}{REPORT}"
    with_report = msgspec.structs.replace(summary, outputs=msgspec.structs.replace(summary.outputs, report=key))
    try:
        report, ended = pages.report(with_report, manifest, statistics), pages.ended(with_report)
    except Exception:  # the report may fail in any way, but the job must get its outputs; the log has the traceback
        logger.exception("the report of job %s could not be drawn; its outputs are written", summary.job_id)
        return summary
    store.write(key, report, guard=is_last)
    store.write(f"{summary.results}{STATUS}", ended, guard=is_last)
    return with_report
