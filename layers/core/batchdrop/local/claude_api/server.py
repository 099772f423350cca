"""The emulator behind a real socket: uvicorn, with connections that can be cut."""

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

_SHUTDOWN_SECONDS = 1  # hanging calls do not hold up the end


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 that lets the application close the TCP connection, by a function in the scope's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take a state of its own: it is copied into the scope of each call on this connection."""
        super().__init__(config, server_state, dict(app_state), _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Leave the function for the application."""
        super().connection_made(transport)
        self.app_state[CLOSE] = transport.close


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it; without it an answer's body waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    return listener


class EmulatorServer(uvicorn.Server):
    """A quiet server that leaves signals to its caller, tells when it listens, and can be stopped."""

    def __init__(self, app: ASGIApp, *, on_start: Callable[[], object]) -> None:
        """`on_start` is called once, when calls are accepted."""
        super().__init__(
            Config(
                app,
                http=DroppableProtocol,
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            ),
        )
        self._on_start = on_start

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: uvicorn would raise them again at the end, before the files are removed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self.started:
            self._on_start()

    def stop(self) -> None:
        """Finish soon; may be called from any thread."""
        self.should_exit = True
