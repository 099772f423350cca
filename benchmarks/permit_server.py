"""The shared ledger of the fleet's benchmark: compare-and-set over a local socket, one line of JSON each way.

It replaces DynamoDB, which has the same single operation; moto's server would use more CPU than all workers.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import msgspec

from batchdrop.live_lane.permits import PermitState, Versioned


class PermitServer:
    """Keeps the states, and counts writes and conflicts. It runs in a thread until the program ends."""

    def __init__(self) -> None:
        self.writes = self.conflicts = 0
        self.port = 0
        self._standing: dict[str, dict[str, Any]] = {}
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            standing = self._replaced(json.loads(line))
            writer.write(json.dumps(standing).encode() + b"\n")

    def _replaced(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        standing = self._standing.get(asked["model"], {"state": None, "version": 0})
        if standing["version"] != asked["seen"]:
            self.conflicts += 1
            return standing
        self.writes += 1
        self._standing[asked["model"]] = {"state": asked["state"], "version": asked["seen"] + 1}
        return None


class RemotePermits:
    """Permits in a PermitServer."""

    def __init__(self, port: int) -> None:
        self._file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write the state if it has not changed since it was read."""
        asked = {"model": model, "seen": seen.version, "state": msgspec.to_builtins(state)}
        self._file.write(json.dumps(asked).encode() + b"\n")
        self._file.flush()
        standing = json.loads(self._file.readline())
        return None if standing is None else msgspec.convert(standing, Versioned)
