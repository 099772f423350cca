"""The routes of the page Try."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from batchdrop.cli.ui.forms import Fields, posted
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.rendering import page, part
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.trying.answers_view import Wanted, answers_view
from batchdrop.cli.ui.trying.desk import ChangedElsewhereError, Desk
from batchdrop.cli.ui.trying.drafts import remove_drafts
from batchdrop.cli.ui.trying.judging import faults_in, judged
from batchdrop.cli.ui.trying.starting import payer_of, replaced_by, start_job
from batchdrop.cli.ui.trying.tables import tables_in
from batchdrop.cli.ui.trying.versions import Choice, Version

PATH = "/try"
SAVED = "recipe-saved"  # the event that tells the page so
MOST_ROWS = 1_000  # of one try, as the command's
PRICED_AT_ONCE = 20_000_000  # bytes of a file that is priced at each pause; a larger one at a click


class TryPage:
    """The page for one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._file = session.file
        self._desks: dict[Path, Desk] = {}
        self._lock = Lock()
        session.at_end.append(remove_drafts)

    def routes(self) -> list[Route]:
        """Return its routes."""
        return [
            Route(PATH, self._index),
            Route(f"{PATH}/files", self._files),
            Route(f"{PATH}/open", posted(self._open), methods=["POST"]),
            Route(f"{PATH}/check", posted(self._check), methods=["POST"]),
            Route(f"{PATH}/price", posted(self._price), methods=["POST"]),
            Route(f"{PATH}/save", posted(self._save), methods=["POST"]),
            Route(f"{PATH}/run", posted(self._run), methods=["POST"]),
            Route(f"{PATH}/rows", self._rows),
            Route(f"{PATH}/prompt", self._prompt),
            Route(f"{PATH}/again", posted(self._again), methods=["POST"]),
            Route(f"{PATH}/order", posted(self._order), methods=["POST"]),
            Route(f"{PATH}/start", posted(self._start), methods=["POST"]),
        ]

    def _desk(self) -> Desk:
        """Return the open table's desk, which is made when it is first opened. Raises HTTPException without a table."""
        if self._file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "No table is open. Open one on the page Try.")
        with self._lock:
            if self._file not in self._desks:
                self._desks[self._file] = Desk(self._session, self._file)
            return self._desks[self._file]

    def _files(self, request: Request) -> Response:
        folder = Path.cwd()
        return page(request, "trying/files.html.j2", folder=folder, tables=tables_in(folder))

    def _open(self, _: Request, fields: Fields) -> Response:
        """Open a table of the current folder: only what is listed can be named."""
        found = [one.path for one in tables_in(Path.cwd()) if one.path.name == fields.get("name")]
        if not found:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such table in this folder.")
        is_first = self._session.file is not None and found[0] == self._session.file.resolve()
        self._file = self._session.file if is_first else found[0]
        return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)

    def _index(self, request: Request) -> Response:
        if self._file is None:
            return self._files(request)
        desk = self._desk()
        return page(request, "trying/index.html.j2", desk=desk, last=desk.versions.all[-1:], chips=desk.column_chips())

    def _check(self, _: Request, fields: Fields) -> Response:
        desk = self._desk()
        faults = faults_in(fields.get("recipe", ""), desk.recipe)
        at_once = desk.file.stat().st_size <= PRICED_AT_ONCE
        return part("trying/checked.html.j2", faults=faults, at_once=at_once, size=desk.file.stat().st_size)

    def _price(self, _: Request, fields: Fields) -> Response:
        desk = self._desk()
        found = judged(fields.get("recipe", ""), desk.recipe, desk.file, self._session.files)
        return part("trying/priced.html.j2", judged=found, chips=desk.column_chips(found.columns))

    def _save(self, _: Request, fields: Fields) -> Response:
        desk = self._desk()
        try:
            desk.save(fields.get("recipe", ""), overwrites="overwrite" in fields)
        except ChangedElsewhereError as error:
            return part("trying/saved.html.j2", saved="", trouble=str(error))
        response = part("trying/saved.html.j2", saved=desk.recipe, trouble="")
        response.headers["hx-trigger"] = SAVED
        return response

    def _run(self, _: Request, fields: Fields) -> Response:
        rows = _number(fields.get("rows", ""))
        if not 1 <= rows <= MOST_ROWS:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"Try 1 to {MOST_ROWS:,} rows.")
        desk = self._desk()
        choice = Choice(rows, "random" in fields)
        version = desk.try_rows(fields.get("recipe", ""), choice, again="again" in fields)
        return self._answers(desk, version, Wanted(version.number, version.number - 1))

    def _rows(self, request: Request) -> Response:
        asked, desk = request.query_params, self._desk()
        version = self._version(asked.get("version", ""))
        compare = _number(asked.get("compare", ""))
        show, label, text = (asked.get(name, "") for name in ("show", "label", "text"))
        return self._answers(desk, version, Wanted(version.number, compare, show or "all", label, text))

    def _answers(self, desk: Desk, version: Version, wanted: Wanted) -> Response:
        compared = None if wanted.compare == version.number else desk.versions.get(wanted.compare)
        view = answers_view(version, compared, wanted)
        return part("trying/answers.html.j2", view=view, versions=desk.versions.all)

    def _prompt(self, request: Request) -> Response:
        version = self._version(request.query_params.get("version", ""))
        number = _number(request.query_params.get("row", ""))
        shown = version.row(number)
        if shown is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "This row was not tried.")
        prompt = self._desk().prompt_of(version, number)
        compare = _number(request.query_params.get("compare", ""))
        return part("trying/story.html.j2", prompt=prompt, shown=shown, version=version, compare=compare)

    def _again(self, _: Request, fields: Fields) -> Response:
        version = self._version(fields.get("version", ""))
        number = _number(fields.get("row", ""))
        if version.row(number) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "This row was not tried.")
        desk = self._desk()
        version = desk.send_again(version, number)
        wanted = Wanted(version.number, _number(fields.get("compare", "")), fields.get("show", "all"))
        return self._answers(desk, version, wanted)

    def _order(self, _: Request, fields: Fields) -> Response:
        desk, text = self._desk(), fields.get("recipe", "")
        found = judged(text, desk.recipe, desk.file, self._session.files)
        if found.faults:
            return part("trying/order.html.j2", judged=found, order=None, replaced=[], desk=desk)
        deployment = self._session.stack.deployment()
        replaced = replaced_by(desk, text, deployment)
        order = desk.order(text, found)
        where, payer = deployment.name, payer_of(self._session, deployment)
        named = {"judged": found, "order": order, "replaced": replaced, "desk": desk}
        return part("trying/order.html.j2", HTTPStatus.OK, where=where, payer=payer, **named)

    def _start(self, request: Request, fields: Fields) -> Response:
        desk = self._desk()
        order = desk.take_order(fields.get("order", ""))
        if order is None:
            message = "This order was used, or the file has changed since its cost was shown. Choose Run all again."
            raise HTTPException(HTTPStatus.CONFLICT, message)
        job = start_job(desk, order, self._session.stack.deployment())
        jobs = next((one for one in request.app.state.pages if one.path == "/jobs"), None)
        response = part("trying/started.html.j2", job=job, has_page=jobs is not None)
        with suppress(ChangedElsewhereError):
            desk.save(order.recipe, overwrites=False)
            response.headers["hx-trigger"] = SAVED
        if jobs is not None:
            response.headers["hx-redirect"] = f"{jobs.path}/{job}"
        return response

    def _version(self, number: str) -> Version:
        version = self._desk().versions.get(_number(number))
        if version is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "This version is gone. Try the recipe again.")
        return version


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


TRY = Page("Try", PATH, lambda session: TryPage(session).routes())
