"""The emulator's Messages API on virtual time, behind the product's own adapter: only aiohttp's session is ours."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any

import aiohttp
import httpx2
import msgspec

from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.adapters.claude.signing import RequestSigner
from tests.faults.actor_loop import ActorLoop
from tests.faults.api import Claude
from tests.faults.live_journal import CUT, DELIVERED, Call, Journal
from tests.faults.scheduler import Scheduler
from tests.faults.storm import Storm
from tests.faults.transport import BASE_URL

SPREAD = 0.6  # of the lognormal latency
TRAVEL_SECONDS = 0.05
_ROW = re.compile(r"thing number (\d+)")


@dataclass(frozen=True)
class _Came:
    """What reaches the client: an answer, whole or not, or (status 0) a connection that was dropped."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True


class MessageLine:
    """The line between the workers and the API."""

    def __init__(self, scheduler: Scheduler, storm: Storm, claude: Claude, journal: Journal, *, latency: float) -> None:
        self.scheduler = scheduler
        self.storm = storm
        self.journal = journal
        self._claude = claude
        self._latency = latency

    @property
    def signer(self) -> RequestSigner | None:
        """Return what signs; None with a key."""
        return self._claude.signer if self._claude.is_aws else None

    def api(self) -> AiohttpMessageApi:
        """Return the product's own adapter on this line."""
        return _Messages(self)

    def serve(self, call: Call, request: httpx2.Request, tell: Callable[[_Came], object]) -> None:
        """Let a request travel, be answered and billed, and let the answer travel back."""
        self.scheduler.sleep(self.storm.rng.uniform(0, TRAVEL_SECONDS))
        came = self._answer(call, request)
        self.scheduler.sleep(self._seconds())
        tell(came)

    def _answer(self, call: Call, request: httpx2.Request) -> _Came:
        before = len(self._bill())
        try:
            response = self._claude.send(request)
            came = _Came(response.status_code, response.headers, response.read())
        except httpx2.RemoteProtocolError:
            came = _Came(0, {}, b"")
        if len(bill := self._bill()) > before:
            call.usd = Decimal(bill[-1])
            call.text = _text(came)
            came = self._spoilt(came)
        self.storm.log(f"{call.worker} row {call.row}: {came.status}{' billed' if call.usd is not None else ''}")
        return came

    def _bill(self) -> list[str]:
        state = self._claude.state
        return [entry.usd for entry in state.bill.entries(state.clock.now()) if entry.lane == "live"]

    def _spoilt(self, came: _Came) -> _Came:
        rates = self.storm.rates
        if came.status == 200 and self.storm.strikes(rates.lost_answer, "answer lost on its way"):
            return _Came(0, {}, b"")
        if came.status == 200 and self.storm.strikes(rates.cut_answer, "answer cut in its body"):
            # Half of the cuts are at a clean close, which no client sees.
            end = len(came.body) // 2 if _is_stream(came) else -9
            return _Came(200, came.headers, came.body[:end], is_whole=self.storm.rng.random() < 0.5)
        return came

    def _seconds(self) -> float:
        if self.storm.strikes(self.storm.rates.slow_answer, "slow answer"):
            return self.storm.rng.uniform(20, 700)
        return self._latency * math.exp(SPREAD * self.storm.rng.gauss(0, 1))


class _Messages(AiohttpMessageApi):
    """The product's adapter, with a session that has no sockets."""

    def __init__(self, line: MessageLine) -> None:
        access: dict[str, Any] = {"signer": line.signer} if line.signer else {"api_key": "sk-any"}
        super().__init__(**access, base_url=BASE_URL)
        self._line = line

    def _pool(self) -> aiohttp.ClientSession:
        stand_in: Any = SimpleNamespace(post=partial(_Post, self._line, self._headers))
        session: aiohttp.ClientSession = stand_in
        return session


class _Post:
    """One POST, as aiohttp's session gives it to `async with`."""

    def __init__(
        self,
        line: MessageLine,
        common: Mapping[str, str],
        url: object,
        *,
        data: bytes,
        timeout: aiohttp.ClientTimeout,
        headers: Mapping[str, str],
        allow_redirects: bool,
    ) -> None:
        assert not allow_redirects, "a redirect would send the request twice"
        common = {**common, **headers}
        self._line = line
        self._within = timeout.total
        self._request = httpx2.Request("POST", str(url), headers=common, content=data)
        self._rows = _rows_of(data)
        self._model: str = msgspec.json.decode(data)["model"]

    async def __aenter__(self) -> _Response:
        storm, loop = self._line.storm, asyncio.get_running_loop()
        worker = storm.invocation()
        assert worker is not None
        assert isinstance(loop, ActorLoop)
        storm.may_crash("before a request", 1.0)
        if storm.strikes(storm.rates.no_connection, "no connection to the API"):
            self._line.journal.unreached.update(self._rows)
            key: Any = SimpleNamespace(host="claude.test", port=443, ssl=True)
            raise aiohttp.ClientConnectorError(key, OSError("unreachable"))
        call = Call(
            self._rows[0],
            worker.name,
            self._line.scheduler.now,
            self._within or 0.0,
            model=self._model,
            rows=self._rows,
        )
        self._line.journal.calls.append(call)
        reply: asyncio.Future[_Came] = loop.create_future()

        def answer(came: _Came) -> None:
            if not reply.done():
                reply.set_result(came)

        serve = partial(self._line.serve, call, self._request, lambda came: loop.call(partial(answer, came)))
        self._line.scheduler.start(f"request of {worker.name}", serve)
        try:
            async with asyncio.timeout(self._within):
                came = await reply
        except TimeoutError:
            call.end = "not waited for"
            raise
        storm.may_crash("after an answer", 1.0)
        return self._seen(call, came)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the connection back."""

    def _seen(self, call: Call, came: _Came) -> _Response:
        if came.status == 0:
            call.end = "connection dropped"
            raise aiohttp.ServerDisconnectedError
        call.end = DELIVERED if came.status == 200 else f"answered {came.status}"
        if _is_stream(came):
            call.end = DELIVERED if b'"message_delta"' in came.body else _end_of_stream(came.body)
        elif not came.is_whole or (came.status == 200 and not _is_json(came.body)):
            call.end = CUT
        return _Response(came)


class _Response:
    def __init__(self, came: _Came) -> None:
        self.status = came.status
        self.headers = came.headers
        self.content = self
        self._came = came

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises what aiohttp raises where it breaks off."""
        yield self._came.body
        if not self._came.is_whole:
            message = "Response payload is not completed"
            raise aiohttp.ClientPayloadError(message)


def _rows_of(params: bytes) -> tuple[int, ...]:
    """Return the rows in a request, in the order in which they stand there; a pack has several."""
    rows = tuple(int(number) for number in _ROW.findall(params.decode()))
    assert rows, "a request for no row"
    return rows


def _is_stream(came: _Came) -> bool:
    return "event-stream" in came.headers.get("content-type", "")


def _text(came: _Came) -> str:
    if _is_stream(came):
        events = [msgspec.json.decode(line[5:]) for line in came.body.splitlines() if line.startswith(b"data:")]
        return "".join(event.get("delta", {}).get("text", "") for event in events)
    content = msgspec.json.decode(came.body)["content"] if came.status == 200 and _is_json(came.body) else []
    return "".join(block.get("text", "") for block in content)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return True


def _end_of_stream(body: bytes) -> str:
    """Return how a stream without an answer ended. An error before its message is like the status of that error."""
    if b'"message_start"' not in body:
        for kind, status in ((b'"rate_limit_error"', 429), (b'"overloaded_error"', 529)):
            if kind in body:
                return f"answered {status}"
    return "stream broken off"
