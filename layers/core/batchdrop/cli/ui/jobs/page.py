"""The page "Jobs": the list of jobs, each job, and its results."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from batchdrop.cli.ui.jobs.pages import JobPages
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.results.pages import ResultPages
from batchdrop.cli.ui.session import Session


def _routes(session: Session) -> Sequence[BaseRoute]:
    return [*ResultPages(session).routes(), *JobPages(session).routes()]


JOBS = Page("Jobs", "/jobs", _routes)
