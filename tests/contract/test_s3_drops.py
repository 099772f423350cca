"""S3 downloads that break: a tiny server on loopback that closes the connection where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.config import Config

from batchdrop.adapters.aws.s3 import REOPENINGS, S3ObjectStore
from batchdrop.errors import AwsUnavailable
from batchdrop.ports import ObjectChanged
from tests.aws import session

BODY = bytes(range(256)) * 16


class DroppingServer(ThreadingHTTPServer):
    """Serves BODY; each answer ends `drop_after` bytes early-closed, as long as there are `drops` left."""

    daemon_threads = True

    def __init__(self, *, drops: int, drop_after: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.drops = drops
        self.drop_after = drop_after
        self.etag = '"one"'
        self.replaced_after_first = False
        self.ranges: list[str | None] = []


class _Handler(BaseHTTPRequestHandler):
    server: DroppingServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.headers.get("If-Match") not in {None, self.server.etag}:
            self._empty(412)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(BODY):
            self._empty(416)
            return
        self._body(BODY[start:], partial=bool(asked))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, rest: bytes, *, partial: bool) -> None:
        self.send_response(206 if partial else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        if self.server.drops > 0:
            self.server.drops -= 1
            rest = rest[: self.server.drop_after]
            self.close_connection = True
            if self.server.replaced_after_first:
                self.server.etag = '"two"'
        self.wfile.write(rest)


@contextmanager
def _dropping(*, drops: int, drop_after: int) -> Iterator[tuple[DroppingServer, S3ObjectStore]]:
    with DroppingServer(drops=drops, drop_after=drop_after) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        client = session().client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        try:
            yield server, S3ObjectStore(client, "bucket")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("drop_after", [1, 1000, len(BODY) - 1])
@pytest.mark.parametrize("drops", [1, REOPENINGS])
def test_a_dropped_download_goes_on_where_it_broke(drops: int, drop_after: int) -> None:
    """Every byte comes once, in order, and the second request asks for the rest only."""
    with _dropping(drops=drops, drop_after=drop_after) as (server, store):
        assert b"".join(store.stream("key")) == BODY
    assert server.ranges[:2] == [None, f"bytes={drop_after}-"]


def test_a_download_that_always_breaks_ends_in_an_error() -> None:
    """After REOPENINGS attempts the error is raised; nothing is tried for ever, nothing ends silently short."""
    with _dropping(drops=100, drop_after=2) as (server, store), pytest.raises(AwsUnavailable):
        list(store.stream("key"))
    assert len(server.ranges) == REOPENINGS + 1


def test_a_small_object_that_breaks_off_is_read_again_later() -> None:
    """It is one request, so the whole call is repeated: the error has the name that the state machine retries."""
    with _dropping(drops=1, drop_after=2) as (_, store):
        with pytest.raises(AwsUnavailable):
            store.read("key")
        assert store.read("key") == BODY


def test_an_object_replaced_in_the_middle_is_noticed() -> None:
    """Reopening asks for the same ETag again, so two objects are never mixed."""
    with _dropping(drops=1, drop_after=100) as (server, store):
        server.replaced_after_first = True
        with pytest.raises(ObjectChanged):
            list(store.stream("key", etag='"one"'))
