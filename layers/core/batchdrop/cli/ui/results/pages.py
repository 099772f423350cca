"""The page of a job's results: rows, filters, histograms, a row's story, gold and export."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.jobs import Job
from batchdrop.cli.ui.downloads import attachment
from batchdrop.cli.ui.forms import Fields, posted
from batchdrop.cli.ui.jobs.controls import NEVER_AGAIN
from batchdrop.cli.ui.jobs.finding import named_job
from batchdrop.cli.ui.rendering import is_part, page, part
from batchdrop.cli.ui.results.export import exported
from batchdrop.cli.ui.results.gold import GoldFile
from batchdrop.cli.ui.results.selection import Selection, selection_of
from batchdrop.cli.ui.results.story import story_of
from batchdrop.cli.ui.results.table import ResultTable, TableRow
from batchdrop.cli.ui.results.tables import Tables
from batchdrop.cli.ui.session import Session
from batchdrop.job.job_files import read_manifest
from batchdrop.job.versions import first_version

TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}


class ResultPages:
    """The pages of results of one console."""

    def __init__(self, session: Session, tables: Tables | None = None) -> None:
        self._session = session
        self._tables = tables or Tables()
        session.at_end.append(self._tables.close)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes. All begin with the job's own path."""
        results = "/jobs/{job}/results"
        return [
            Route(results, self._page),
            Route(f"{results}/rows", self._rows),
            Route(f"{results}/counts", self._counts),
            Route(f"{results}/export.{{format}}", self._export),
            Route(f"{results}/rows/{{row:int}}", self._story),
            Route(f"{results}/rows/{{row:int}}/gold", posted(self._correct), methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        if self._session.stack.state == "starting":
            return page(request, "jobs/starting.html.j2", again=request.url.path)
        deployment = self._session.stack.deployment()
        job = named_job(deployment, request)
        opening = self._tables.opening(deployment, job)
        values: dict[str, Any] = {"job": job, "opening": opening, "again": f"{request.url.path}?{request.url.query}"}
        if opening.table is None:
            if is_part(request) and not opening.error:
                return part("results/filling.html.j2", **values)
            response = page(request, "results/opening.html.j2", **values)
        else:
            response = page(request, "results/index.html.j2", **values, **self._chosen(request, job, opening.table))
        if is_part(request):
            response.headers["hx-refresh"] = "true"
        return response

    def _chosen(self, request: Request, job: Job, table: ResultTable) -> dict[str, Any]:
        selection = _selection(request, table)
        found = table.page(selection)
        return {"table": table, "selection": selection, "found": found, "path": f"/jobs/{job.job_id}/results"}

    def _rows(self, request: Request) -> Response:
        table = self._open_table(request)
        selection = _selection(request, table)
        behind = request.query_params.get("behind", "")
        found = table.page(selection, behind=int(behind) if behind.isdecimal() and len(behind) < len("1" * 12) else 0)
        path = f"/jobs/{request.path_params['job']}/results"
        return part("results/rows.html.j2", table=table, selection=selection, found=found, path=path)

    def _counts(self, request: Request) -> Response:
        table = self._open_table(request)
        selection = _selection(request, table)
        path = f"/jobs/{request.path_params['job']}/results"
        counts = table.counts(selection)
        return part("results/counts.html.j2", table=table, selection=selection, counts=counts, path=path)

    def _export(self, request: Request) -> Response:
        table = self._open_table(request)
        match request.path_params["format"]:
            case "csv" | "jsonl" as wanted:
                selection = _selection(request, table)
                body = exported(table.export(selection), table.columns, wanted)
                return attachment(f"{request.path_params['job']}-selection.{wanted}", body, TYPES[wanted])
            case _:
                raise HTTPException(HTTPStatus.NOT_FOUND)

    def _story(self, request: Request) -> Response:
        deployment = self._session.stack.deployment()
        job, table = self._table(request)
        row = _row(table, request)
        return part("results/story.html.j2", **self._told(deployment, job, table, row))

    def _told(self, deployment: Deployment, job: Job, table: ResultTable, row: TableRow) -> dict[str, Any]:
        story, rounds = story_of(deployment, job.job_id, row.row)
        gold = self._gold(deployment, job)
        status = next((row.cells[one.place] for one in table.columns if one.kind == "status"), "")
        return {
            "path": f"/jobs/{job.job_id}/results/rows/{row.row}",
            "job": job,
            "row": row,
            "table": table,
            "story": story,
            "rounds": rounds,
            "truths": {
                one.place: truth
                for one in table.columns
                if one.field and (truth := gold.rows().get(row.row, {}).get(gold.column_of(one))) is not None
            },
            "retries": status not in NEVER_AGAIN,
            "saved": False,
        }

    def _correct(self, request: Request, fields: Fields) -> Response:
        deployment = self._session.stack.deployment()
        job, table = self._table(request)
        row = _row(table, request)
        for column in table.columns:
            if column.field and (text := fields.get(f"truth-{column.place}")) is not None:
                self._gold(deployment, job).write(table, row, column, text)
        return part("results/story.html.j2", **{**self._told(deployment, job, table, row), "saved": True})

    def _gold(self, deployment: Deployment, job: Job) -> GoldFile:
        manifest = read_manifest(deployment.store, first_version(job.job_id))
        named = manifest.recipe.gold if manifest and manifest.recipe else None
        return GoldFile(deployment.store, job.results, named or {})

    def _open_table(self, request: Request) -> ResultTable:
        return self._tables.ready(request.path_params["job"]) or self._table(request)[1]

    def _table(self, request: Request) -> tuple[Job, ResultTable]:
        deployment = self._session.stack.deployment()
        job = named_job(deployment, request)
        table = self._tables.opening(deployment, job).table
        if table is None:
            raise HTTPException(HTTPStatus.CONFLICT, "These results are being prepared. Load the page again.")
        return job, table


def _selection(request: Request, table: ResultTable) -> Selection:
    return selection_of(parse_qsl(request.url.query, keep_blank_values=True), table.columns)


def _row(table: ResultTable, request: Request) -> TableRow:
    row = table.row(request.path_params["row"])
    if row is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"The results have {table.filled.rows:,} rows.")
    return row
