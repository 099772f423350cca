"""A page of the console."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from batchdrop.cli.ui.session import Session


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its name in the header, its path, and the function that makes its routes for a session.

    `path` begins with a slash, and all its routes begin with it.
    """

    name: str
    path: str
    routes: Callable[[Session], Sequence[BaseRoute]]
