"""Render pages from Jinja templates that escape everything. A page is one file, without scripts or network access."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from batchdrop.adapters.pages import figures
from batchdrop.adapters.pages.plain_text import shown
from batchdrop.adapters.pages.status_view import status_view
from batchdrop.job.job_progress import JobProgress
from batchdrop.job.manifest import Manifest
from batchdrop.report.commands import Commands
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary

TEMPLATES = Path(__file__).parent / "templates"


class HtmlPages:
    """Pages of HTML, UTF-8. `commands` are those that work where the job ran."""

    def __init__(self, commands: Commands | None = None) -> None:
        self._commands = commands or Commands()

    def report(self, summary: Summary, manifest: Manifest | None, statistics: Statistics) -> bytes:
        """Return the report of a job that ended."""
        from batchdrop.adapters.pages.report_view import report_view

        return _page("report.html.j2", report_view(summary, manifest, statistics, self._commands))

    def status(self, manifest: Manifest, progress: JobProgress) -> bytes:
        """Return the status page of a running job, which reloads itself."""
        return _page("status.html.j2", status_view(manifest, progress))

    def ended(self, summary: Summary) -> bytes:
        """Return the page that links to the report."""
        return _page("ended.html.j2", {"summary": summary})


def compared_page(view: dict[str, Any]) -> bytes:
    """Return the page of compared recipes."""
    return _page("compare.html.j2", view)


def _page(template: str, view: dict[str, Any]) -> bytes:
    return _environment().get_template(template).render(view).encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Every printed value goes through `shown`; Markup (the charts) passes unchanged.
        finalize=lambda value: value if hasattr(value, "__html__") else shown(value),
    )
    filters: dict[str, Any] = {
        name: getattr(figures, name) for name in ("whole", "usd", "span", "moment", "share", "compact")
    }
    environment.filters.update(filters)
    return environment
