"""Serve the console on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Timer
from types import FrameType

import uvicorn

from batchdrop.cli.console import INTERRUPTED, CommandOutput
from batchdrop.cli.run.keep_up import refuse_busy
from batchdrop.cli.ui.access import Access
from batchdrop.cli.ui.application import application
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.session import Session

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 1  # for open requests, such as event streams, after Ctrl-C
LAST_SECONDS = 3.0  # for those that run in threads


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve: the port (None for a free one), and whether to open the browser."""

    port: int | None
    opens: bool


def serve(session: Session, pages: Sequence[Page], serving: Serving, output: CommandOutput) -> None:
    """Print the address, and serve the pages until Ctrl-C. Raises PortInUseError."""
    if serving.port is not None:
        refuse_busy(serving.port)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, serving.port or 0))
        listening.listen()
        host = f"{LOOPBACK}:{listening.getsockname()[1]}"
        access = Access(f"http://{host}", lambda entrance: _tell(entrance, output))
        server = _Server(_config(session, pages, access, host), session)
        session.stack.start()
        try:
            _tell(access.entrance, output)
            output.console.print("The address works once. Ctrl-C stops everything.", highlight=False)
            if serving.opens:
                webbrowser.open(access.entrance)
            server.run(sockets=[listening])
        finally:
            session.close()


class _Server(uvicorn.Server):
    """A server that ends although a page still waits: for answers of a try, or for the stack's start.

    A thread cannot be stopped. So some seconds after Ctrl-C, the stack is closed and the process ends, as that of
    `batchdrop try` does. Answers that came until then are kept.
    """

    def __init__(self, config: uvicorn.Config, session: Session) -> None:
        super().__init__(config)
        self._session = session

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop to serve."""
        super().handle_exit(sig, frame)
        last = Timer(LAST_SECONDS, self._end)
        last.daemon = True
        last.start()

    def _end(self) -> None:
        self._session.close()
        os._exit(INTERRUPTED)


def _config(session: Session, pages: Sequence[Page], access: Access, host: str) -> uvicorn.Config:
    return uvicorn.Config(
        application(session, pages, access, host),
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _tell(entrance: str, output: CommandOutput) -> None:
    if output.json:
        output.line({"url": entrance})
        sys.stdout.flush()
    output.console.print(f"console  {entrance}", highlight=False, soft_wrap=True)
