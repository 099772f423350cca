"""One call to the emulator."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from batchdrop.local.claude_api.aws_auth import mismatch
from batchdrop.local.claude_api.errors import TOO_LARGE, ApiError, invalid
from batchdrop.local.claude_api.state import EmulatorState


class Visit:
    """A call, the facts collected about it so far, and the emulator that serves it."""

    def __init__(self, request: Request, endpoint: str, state: EmulatorState, request_id: str) -> None:
        """`endpoint` is e.g. `batches.create`."""
        self.request = request
        self.endpoint = endpoint
        self.state = state
        self.request_id = request_id
        self.version = ""
        self.betas: frozenset[str] = frozenset()
        self.workspace = ""
        self.bytes_in = 0
        self.digest = ""
        """The SHA-256 that the body must have; empty if none was signed in a header."""
        self.limit_headers: Callable[[], dict[str, str]] = dict
        """Returns the rate-limit headers at the time of the response."""
        self.put_on_bill: Callable[[], object] = lambda: None
        """Bills the answer, once it is known how it is sent."""

    @property
    def chunked(self) -> bool:
        """Return whether the body came without a Content-Length."""
        return "chunked" in self.request.headers.get("transfer-encoding", "").lower()

    @property
    def api_url(self) -> str:
        """Return scheme and host as the client wrote them."""
        return f"{self.request.url.scheme}://{self.request.headers.get('host', 'localhost')}"

    @property
    def batch_id(self) -> str:
        """Return the batch id in the path."""
        return str(self.request.path_params["batch_id"])

    async def body(self, limit: int) -> bytes:
        """Return the body; raises ApiError for an empty (400) or a too large one (413)."""
        pieces: list[bytes] = []
        await self._pour(pieces.append, limit)
        return b"".join(pieces)

    async def spool(self, path: Path, limit: int) -> None:
        """Write the body to a file; raises ApiError for an empty (400) or a too large one (413)."""
        with path.open("wb") as file:
            await self._pour(file.write, limit)

    async def _pour(self, write: Callable[[bytes], object], limit: int) -> None:
        """Yield the body in pieces. A body that is too large is read to its end, so that the client gets a response."""
        if "content-encoding" in self.request.headers:
            msg = "content-encoding: the emulator reads plain bodies only"
            raise invalid(msg)
        digest = hashlib.sha256()
        async for piece in self.request.stream():
            self.bytes_in += len(piece)
            if self.digest:
                digest.update(piece)
            if self.bytes_in <= limit:
                write(piece)
        if self.bytes_in > limit:
            raise ApiError(TOO_LARGE, "Request exceeds the maximum size")
        if self.digest and self.digest != digest.hexdigest():
            raise mismatch()
        if self.bytes_in == 0:
            msg = "The request body is empty"
            raise invalid(msg)


Handler = Callable[[Visit], Awaitable[Response]]
