"""The pages of jobs: the list, a job's page with its live events, and its controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from batchdrop.cli.bucket import Stored
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.job_view import ENDED, JobView, Stage
from batchdrop.cli.job.jobs import Job, JobStatus
from batchdrop.cli.job.listing import wanted_status
from batchdrop.cli.job.pace import job_pace, shard_pace
from batchdrop.cli.job.showing import shown
from batchdrop.cli.ui.downloads import attachment
from batchdrop.cli.ui.environment import rendered
from batchdrop.cli.ui.forms import Fields, posted
from batchdrop.cli.ui.jobs import controls
from batchdrop.cli.ui.jobs.events import job_events
from batchdrop.cli.ui.jobs.feed import Feed, SharedTexts, Texts, seconds_between
from batchdrop.cli.ui.jobs.finding import named_job
from batchdrop.cli.ui.jobs.overview import MOST_JOBS, overview
from batchdrop.cli.ui.rendering import is_part, page, part
from batchdrop.cli.ui.session import Session

SHARDS_SHOWN = 40  # open ones first
MOST_LISTED = 1_000


class JobPages:
    """The pages of jobs of one console."""

    def __init__(self, session: Session, feed: Feed | None = None) -> None:
        self._session = session
        self._feed = feed or Feed()
        self._texts = SharedTexts()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        return [
            Route("/jobs", self._list),
            Route("/jobs/{job}", self._job),
            Route("/jobs/{job}/events", self._events),
            Route("/jobs/{job}/files/{name:path}", self._file),
            Route("/jobs/{job}/{control}", posted(self._control), methods=["POST"]),
        ]

    def _list(self, request: Request) -> Response:
        status = request.query_params.get("status") or None
        limit = request.query_params.get("limit", "")
        most = min(int(limit), MOST_LISTED) if limit.isdecimal() and len(limit) < len("10000") else MOST_JOBS
        again = "/jobs?" + urlencode({"status": status or "", "limit": most})
        values: dict[str, Any] = {"wanted": status, "limit": most, "again": again, "statuses": [*JobStatus]}
        values |= {"state": self._session.stack.state, "found": None, "stack": self._session.stack_name}
        if values["state"] != "starting":
            found = overview(
                self._session.stack.deployment(),
                self._feed,
                status=wanted_status(status),
                limit=most,
                now=self._session.now(),
            )
            values["found"] = found
        if is_part(request):
            return part("jobs/list.html.j2", **values)
        return page(request, "jobs/index.html.j2", **values)

    def _job(self, request: Request) -> Response:
        if self._session.stack.state == "starting":
            return page(request, "jobs/starting.html.j2", again=request.url.path)
        deployment = self._session.stack.deployment()
        job = named_job(deployment, request)
        view = self._feed.view(deployment, job) if job.status is JobStatus.RUNNING else None
        return page(request, "jobs/job.html.j2", **self._values(deployment, job, view))

    def _values(self, deployment: Deployment, job: Job, view: JobView | None) -> dict[str, Any]:
        report = shown(deployment, job)
        stage = view.stage if view else None
        return {
            "job": job,
            "report": report,
            "choices": controls.choices_of(deployment, job, stage, report.summary),
            "files": sorted(_files(deployment, job), key=lambda one: one.key.rpartition("/")[2] != "report.html"),
            "is_embedded": deployment.is_embedded,
            **_live(job, view),
        }

    def _events(self, request: Request) -> Response:
        deployment = self._session.stack.deployment()
        job = named_job(deployment, request)
        if job.status is not JobStatus.RUNNING:
            raise HTTPException(HTTPStatus.CONFLICT, "This job has ended.")

        async def look() -> JobView:
            return await run_in_threadpool(self._feed.view, deployment, job)

        def parts(view: JobView, before: Texts | None) -> dict[str, str]:
            live = rendered("jobs/live.html.j2", **_live(job, view))
            if view.stage in ENDED:  # the page is loaded again
                return {"live": live}
            if before is not None and before.view.stage is view.stage and "below" in before.parts:
                return {"live": live, "below": before.parts["below"]}  # it depends on the stage alone
            return {"live": live, "below": rendered("jobs/below.html.j2", **self._values(deployment, job, view))}

        async def read(view: JobView) -> dict[str, str]:
            return await run_in_threadpool(self._texts.of, view, partial(parts, view))

        async def stream() -> AsyncIterator[str]:
            with suppress(asyncio.CancelledError):  # Ctrl-C while the page is open
                async for one in job_events(look, read, seconds=seconds_between(deployment)):
                    yield one

        return StreamingResponse(stream(), media_type="text/event-stream")

    def _file(self, request: Request) -> Response:
        deployment = self._session.stack.deployment()
        job, name = named_job(deployment, request), request.path_params["name"]
        key = next((one.key for one in _files(deployment, job) if one.key.rpartition("/")[2] == name), None)
        if key is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "The job has no such file.")
        return attachment(name, deployment.store.stream(key))

    def _control(self, request: Request, fields: Fields) -> Response:
        deployment = self._session.stack.deployment()
        job_id = named_job(deployment, request).job_id
        match request.path_params["control"]:
            case "approve":
                job_id = controls.approved(deployment, job_id)
            case "cancel":
                job_id = controls.canceled(deployment, job_id)
            case "resume":
                job_id = controls.resumed(deployment, job_id)
            case "retry":
                statuses, rows = _named(fields, "status-"), ",".join([*_named(fields, "row-"), fields.get("rows", "")])
                if not statuses and not rows.strip(","):
                    raise HTTPException(HTTPStatus.BAD_REQUEST, "Choose the rows to send again.")
                job_id = controls.retried(deployment, job_id, statuses=statuses, rows=rows)
            case _:
                raise HTTPException(HTTPStatus.NOT_FOUND)
        # htmx sends the forms, and goes there. A plain form of a page without referrers has no Origin: it is refused.
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"hx-redirect": f"/jobs/{job_id}"})


def _named(fields: Fields, prefix: str) -> list[str]:
    """Return what the names of checked boxes say behind a prefix."""
    return [name.removeprefix(prefix) for name in fields if name.startswith(prefix)]


def _files(deployment: Deployment, job: Job) -> list[Stored]:
    return [one for one in deployment.bucket.listed(job.results) if not one.key.endswith("/")]


def _live(job: Job, view: JobView | None) -> dict[str, Any]:
    if view is None:
        return {"job": job, "view": None}
    order = {Stage.ANSWERING: 0, Stage.FAILED: 1, Stage.WAITING: 2}
    first = sorted(view.shards, key=lambda one: (order.get(one.stage, 3), one.shard))[:SHARDS_SHOWN]
    return {
        "job": job,
        "view": view,
        "pace": job_pace(view),
        "ended": view.stage in ENDED,
        "shards": [(one, shard_pace(one, view)) for one in first],
    }
