"""The pages of the console, in the header's order."""

from __future__ import annotations

from batchdrop.cli.ui.jobs.page import JOBS
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.trying.page import TRY

PAGES: tuple[Page, ...] = (TRY, JOBS)
