"""Serve the emulator on a real socket: uvicorn, with connections that can be dropped."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from batchdrop.local.claude_api.connection import CLOSE

_SHUTDOWN_SECONDS = 1  # hanging calls do not delay the shutdown


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 protocol that lets the application close the TCP connection, by a function in the scope's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Create a state for this connection, which is copied into the scope of each of its calls."""
        super().__init__(config, server_state, dict(app_state), _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Store the closing function for the application."""
        super().connection_made(transport)
        self.app_state[CLOSE] = transport.close


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 means any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit TCP_NODELAY. Without it, a body waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    return listener


class EmulatorServer(uvicorn.Server):
    """A quiet server that leaves signals to its caller, reports when it listens, and can be stopped."""

    def __init__(self, app: ASGIApp, *, on_start: Callable[[], object]) -> None:
        """Take `on_start`, which is called once when the server accepts calls."""
        super().__init__(
            Config(
                app,
                http=DroppableProtocol,
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                date_header=False,  # the emulated clock says what time it is
                timeout_keep_alive=75,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            ),
        )
        self._on_start = on_start

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals: uvicorn would raise them again before the files are removed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        if self.started:
            self._on_start()

    def stop(self) -> None:
        """Stop soon; any thread may call this."""
        self.should_exit = True
