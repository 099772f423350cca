"""The network of both lanes and of `check --exact`, beside the official SDK: keep-alive, proxies, a CA file."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anthropic
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter
from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.adapters.claude.network import kept_alive, proxy_of
from batchdrop.adapters.claude.read_batches import HttpBatchReader
from batchdrop.errors import BatchdropError
from batchdrop.live_lane.reply import Refused
from tests.bodies import PARAMS, create_body

ERROR = b'{"type":"error","error":{"type":"not_found_error","message":"seen"}}'
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class _Answers(BaseHTTPRequestHandler):
    """Refuses everything, in the API's words, and notes the request line."""

    def do_POST(self) -> None:
        """Refuse."""
        self.server.seen.append(self.path)  # type: ignore[attr-defined]  # the server is ours
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(404)
        self.send_header("content-length", str(len(ERROR)))
        self.end_headers()
        self.wfile.write(ERROR)

    do_GET = do_POST  # noqa: N815 - likewise

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@contextmanager
def _server(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    seen: list[str] = []
    server.seen = seen  # type: ignore[attr-defined]  # likewise
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        server.server_close()


def _live(base_url: str) -> None:
    async def sent() -> None:
        api = AiohttpMessageApi(api_key="k", base_url=base_url)
        reply = await api.send(PARAMS % b"hi", within=5)
        await api.close()
        assert reply == Refused("not_found_error", "seen"), reply

    asyncio.run(sent())


def _sdk(base_url: str) -> None:
    async def sent() -> None:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=base_url, max_retries=0, timeout=5) as sdk:
            with pytest.raises(anthropic.NotFoundError):
                await sdk.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}])

    asyncio.run(sent())


def _refused(call: Callable[[], object]) -> None:
    with pytest.raises(BatchdropError, match="seen"):
        call()


CLIENTS: dict[str, Callable[[str], None]] = {
    "the SDK": _sdk,
    "live lane": _live,
    "poll": lambda url: _refused(lambda: HttpBatchReader(api_key="k", base_url=url).retrieve("msgbatch_1")),
    "create": lambda url: _refused(
        lambda: AnthropicBatchCreator(api_key="k", base_url=url).create(create_body(1), timeout=5)
    ),
    "count": lambda url: _refused(lambda: AnthropicTokenCounter(api_key="k", base_url=url).count(PARAMS % b"hi")),
}
client = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@client
def test_a_proxy_of_the_environment_is_used(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client sends the whole address to it."""
    with _server() as (port, seen):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        CLIENTS[client]("http://api.invalid")
    assert len(seen) == 1
    assert seen[0].startswith("http://api.invalid/v1/messages")


@client
def test_no_proxy_is_honoured(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway in the same network is reached directly."""
    with _server() as (port, seen):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        CLIENTS[client](f"http://127.0.0.1:{port}")
    assert len(seen) == 1
    assert seen[0].startswith("/v1/messages")


@client
def test_a_ca_file_of_the_environment_is_trusted(client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's gateway has a certificate of its own CA."""
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _server(context) as (port, seen):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        CLIENTS[client](f"https://127.0.0.1:{port}")
    assert len(seen) == 1


def test_connections_are_kept_alive() -> None:
    """With the SDK's own numbers, so that no NAT drops one that waits for its answer."""
    with kept_alive((socket.AF_INET, socket.SOCK_STREAM, 0, "", ())) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        found = [
            made.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        ]
    assert found == [60, 60, 5]


@pytest.mark.parametrize(
    ("name", "value", "proxy"),
    [
        ("HTTPS_PROXY", "http://p:1", "http://p:1"),
        ("HTTPS_PROXY", "p:1", "http://p:1"),
        ("ALL_PROXY", "http://p:2", "http://p:2"),
        ("HTTP_PROXY", "http://p:3", None),
    ],
)
def test_the_proxy_is_the_schemes(name: str, value: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL with https goes through HTTPS_PROXY, else ALL_PROXY."""
    monkeypatch.setenv(name, value)
    assert proxy_of("https://api.anthropic.com/v1/messages") == proxy


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    return folder / "ca.pem", folder / "key.pem"
