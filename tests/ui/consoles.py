"""A console for tests, without a browser: its pages, and what it told the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.run.service import Service
from batchdrop.cli.ui.access import Access
from batchdrop.cli.ui.application import application
from batchdrop.cli.ui.downloads import attachment
from batchdrop.cli.ui.environment import rendered
from batchdrop.cli.ui.forms import Fields, posted
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.rendering import page
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.stack_in_use import StackInUse
from batchdrop.errors import RecipeRejected

HOST = "127.0.0.1:8765"
OWN = f"http://{HOST}"
OTHERS_SCRIPT = Markup("<script>document.title = 'run'</script><p>after it</p>")


@contextmanager
def no_stack() -> Iterator[tuple[Deployment, Callable[[], None]]]:
    """A stack that does not start."""
    message = "this test has no stack"
    raise OSError(2, message, "stack")
    yield


def session_of(**changes: Any) -> Session:
    """A session on the emulator, whose stack is not started."""
    return Session(**{"stack": StackInUse(no_stack), "service": Service(), **changes})


@dataclass
class Echo:
    """A page that shows what it is given, and remembers what it was told to change."""

    changes: list[Fields] = field(default_factory=list)

    @property
    def page(self) -> Page:
        """The page."""
        return Page("Echo", "/echo", lambda _: self._routes())

    def _routes(self) -> list[Route]:
        return [
            Route("/echo", self._shown),
            Route("/echo/raw", self._raw),
            Route("/echo/file", self._file),
            Route("/echo/wrong", self._wrong),
            Route("/echo/broken", self._broken),
            Route("/echo/change", posted(self._changed), methods=["POST"]),
        ]

    def _shown(self, request: Request) -> Response:
        return page(request, "error.html.j2", title="Echo", faults=[request.query_params.get("text", "")])

    def _raw(self, _: Request) -> Response:
        """A page with a fault: it prints what it should escape."""
        return HTMLResponse(rendered("trouble.html.j2", faults=[OTHERS_SCRIPT]))

    def _file(self, request: Request) -> Response:
        return attachment(request.query_params.get("name", "rows.html"), b"<script>alert(1)</script>", "text/html")

    def _wrong(self, _: Request) -> Response:
        message = "x.yaml: 2 faults\n  line 1, column 1: <b>first</b>\n  line 2, column 1: second"
        raise RecipeRejected(message)

    def _broken(self, _: Request) -> Response:
        message = "a bug"
        raise RuntimeError(message)

    def _changed(self, _: Request, fields: Fields) -> Response:
        self.changes.append(fields)
        return HTMLResponse("done")


@dataclass
class Visit:
    """A browser at a console. `told`: the addresses that the terminal showed later."""

    client: TestClient
    access: Access
    told: list[str]

    def enter(self) -> None:
        """Exchange the token for the cookie."""
        response = self.client.get(self.access.entrance)
        assert response.status_code == 200, response.text


def visit(*pages: Page, session: Session | None = None, enters: bool = True) -> Visit:
    """A browser at a console with these pages, which has entered."""
    told: list[str] = []
    access = Access(OWN, told.append)
    app = application(session or session_of(), _listed(pages), access, HOST)
    client = TestClient(app, base_url=OWN, follow_redirects=False, raise_server_exceptions=False)
    made = Visit(client, access, told)
    if enters:
        made.enter()
    return made


def _listed(pages: Sequence[Page]) -> Sequence[Page]:
    return pages or [Echo().page]


TEMPLATES = Path(rendered.__code__.co_filename).parent / "templates"
STATIC = TEMPLATES.with_name("static")
