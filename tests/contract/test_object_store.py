"""What every ObjectStore promises: the fake and S3 alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from batchdrop.adapters.s3 import PART, S3ObjectStore
from batchdrop.ports import Guard, ObjectChanged, ObjectMissing, ObjectStore
from tests.aws import client
from tests.fakes import FakeObjectStore

KEY = "inbox/名 前/a+b%41&=é.csv"


class BrokenOnPurpose(Exception):
    """Raised inside a writer's context."""


@dataclass
class Bucket:
    """A store with one object in it."""

    store: ObjectStore
    etag: str


def _fake() -> Bucket:
    store = FakeObjectStore(block=3)
    store.write(KEY, b"0123456789")
    return Bucket(store, store.etag(KEY))


def _s3() -> Bucket:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    etag = s3.put_object(Bucket="bucket", Key=KEY, Body=b"0123456789")["ETag"]
    return Bucket(S3ObjectStore(s3, "bucket"), etag.strip('"'))


def _write_and_break(
    store: ObjectStore, key: str, data: bytes, *, meanwhile: Callable[[], bool] = lambda: True
) -> None:
    with store.writer(key) as writer:
        writer.write(data)
        assert meanwhile()
        raise BrokenOnPurpose


@pytest.fixture(params=["fake", "s3"])
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """The fake, then S3 as moto serves it."""
    if request.param == "fake":
        yield _fake()
        return
    with mock_aws():
        yield _s3()


def test_reads_what_was_written(bucket: Bucket) -> None:
    """A written object is read whole, whatever characters its key has."""
    bucket.store.write("jobs/x y/ü.json", b"{}")
    assert bucket.store.read("jobs/x y/ü.json") == b"{}"
    assert bucket.store.read(KEY) == b"0123456789"


def test_write_replaces(bucket: Bucket) -> None:
    """The last write wins, also when it is the shorter one."""
    bucket.store.write(KEY, b"new")
    assert bucket.store.read(KEY) == b"new"


def test_reads_a_range(bucket: Bucket) -> None:
    """A range holds the bytes from its start up to, not with, its end, of the object that was asked for."""
    assert bucket.store.read_range(KEY, 3, 6, etag=bucket.etag) == b"345"
    assert bucket.store.read_range(KEY, 0, 10) == b"0123456789"
    with pytest.raises(ObjectChanged):
        bucket.store.read_range(KEY, 0, 1, etag="0" * 32)
    with pytest.raises(ObjectMissing):
        bucket.store.read_range("nothing", 0, 1)


def test_size_counts_bytes(bucket: Bucket) -> None:
    """Size is bytes, not characters."""
    bucket.store.write("k", "é".encode())
    assert bucket.store.size("k") == 2


def test_exists_tells(bucket: Bucket) -> None:
    """An object exists at its own key only."""
    assert bucket.store.exists(KEY)
    assert not bucket.store.exists("inbox/名 前/")


@pytest.mark.parametrize("call", ["read", "size", "stream"])
def test_missing_object(bucket: Bucket, call: str) -> None:
    """Whatever is asked of an object that is not there, the answer is ObjectMissing."""
    with pytest.raises(ObjectMissing):
        list(getattr(bucket.store, call)("nowhere"))


@pytest.mark.parametrize("start", range(11))
def test_streams_from_any_offset(bucket: Bucket, start: int) -> None:
    """A stream holds the bytes from its offset on; at the very end it is empty."""
    assert b"".join(bucket.store.stream(KEY, start=start)) == b"0123456789"[start:]


def test_streams_the_object_with_that_etag(bucket: Bucket) -> None:
    """The ETag may come bare, as S3's events bring it, or in quotes, as S3's answers do."""
    assert b"".join(bucket.store.stream(KEY, etag=bucket.etag)) == b"0123456789"
    assert b"".join(bucket.store.stream(KEY, etag=f'"{bucket.etag}"')) == b"0123456789"


@pytest.mark.parametrize("start", [0, 4])
def test_refuses_a_changed_object(bucket: Bucket, start: int) -> None:
    """A replaced object is not mistaken for the one that was asked for."""
    bucket.store.write(KEY, b"another one")
    with pytest.raises(ObjectChanged):
        list(bucket.store.stream(KEY, start=start, etag=bucket.etag))


def test_an_empty_object_streams_nothing(bucket: Bucket) -> None:
    """An empty object is there, and has no blocks."""
    bucket.store.write("empty", b"")
    assert list(bucket.store.stream("empty")) == []


def test_a_writer_joins_its_pieces(bucket: Bucket) -> None:
    """Pieces of any size become one object."""
    with bucket.store.writer("out") as writer:
        for piece in (b"a", b"", b"bc" * 50_000, b"\n"):
            writer.write(piece)
    assert bucket.store.read("out") == b"a" + b"bc" * 50_000 + b"\n"


def test_a_writer_without_pieces_writes_an_empty_object(bucket: Bucket) -> None:
    """`failed.jsonl` is there, and empty, when nothing failed."""
    with bucket.store.writer("out"):
        pass
    assert bucket.store.read("out") == b""


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART + 5])
def test_a_writer_takes_more_than_one_part(bucket: Bucket, size: int) -> None:
    """Objects around and over the size of one part come out to the byte."""
    body = bytes(range(251)) * (size // 251 + 1)
    with bucket.store.writer("large") as writer:
        for start in range(0, size, 3_000_000):
            writer.write(body[start : min(start + 3_000_000, size)])
    assert bucket.store.read("large") == body[:size]


def test_nothing_appears_before_a_writer_ends(bucket: Bucket) -> None:
    """While it grows, an object is not to be seen."""
    with bucket.store.writer("out") as writer:
        writer.write(b"x" * (PART + 1))
        assert not bucket.store.exists("out")
    assert bucket.store.exists("out")


@pytest.mark.parametrize("size", [10, PART + 10])
def test_a_failed_writer_leaves_nothing(bucket: Bucket, size: int) -> None:
    """An error in the context leaves no object, and goes on its way."""
    with pytest.raises(BrokenOnPurpose):
        _write_and_break(bucket.store, "out", b"x" * size)
    assert not bucket.store.exists("out")


def test_a_failed_writer_leaves_the_old_object(bucket: Bucket) -> None:
    """What was there before a failed write is still there after it."""
    with pytest.raises(BrokenOnPurpose):
        _write_and_break(bucket.store, KEY, b"half")
    assert bucket.store.read(KEY) == b"0123456789"


@mock_aws
def test_a_failed_writer_aborts_its_upload() -> None:
    """On S3, no parts stay behind that would be paid for."""
    store = _s3().store

    def is_open() -> bool:
        return len(client("s3").list_multipart_uploads(Bucket="bucket")["Uploads"]) == 1

    with pytest.raises(BrokenOnPurpose):
        _write_and_break(store, "out", b"x" * (PART + 1), meanwhile=is_open)
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket="bucket")


def _write_guarded(store: ObjectStore, key: str, data: bytes, guard: Guard) -> None:
    store.write(key, data, guard=guard)


def _stream_guarded(store: ObjectStore, key: str, data: bytes, guard: Guard) -> None:
    with store.writer(key, guard=guard) as writer:
        writer.write(data)


GUARDED = pytest.mark.parametrize("write", [_write_guarded, _stream_guarded])
GuardedWrite = Callable[[ObjectStore, str, bytes, Guard], None]


@GUARDED
@pytest.mark.parametrize("key", [KEY, "new"])
def test_a_guarded_write_appears(bucket: Bucket, write: GuardedWrite, key: str) -> None:
    """The guard is asked before the object appears, and does not mind."""
    seen: list[bool] = []
    write(bucket.store, key, b"guarded", lambda: seen.append(bucket.store.exists(key)))
    assert seen == [key == KEY]
    assert bucket.store.read(key) == b"guarded"


@GUARDED
@pytest.mark.parametrize("key", [KEY, "new"])
def test_a_guard_refuses(bucket: Bucket, write: GuardedWrite, key: str) -> None:
    """What it raises comes out, and nothing is written."""

    def refuse() -> None:
        raise BrokenOnPurpose

    with pytest.raises(BrokenOnPurpose):
        write(bucket.store, key, b"guarded", refuse)
    assert bucket.store.exists(key) == (key == KEY)
    assert bucket.store.read(KEY) == b"0123456789"


@GUARDED
@pytest.mark.parametrize("key", [KEY, "new"])
def test_a_guarded_write_does_not_replace_what_the_guard_has_not_seen(
    bucket: Bucket, write: GuardedWrite, key: str
) -> None:
    """Somebody else writes after the guard looked: theirs stays."""
    with pytest.raises(ObjectChanged):
        write(bucket.store, key, b"guarded", lambda: bucket.store.write(key, b"theirs"))
    assert bucket.store.read(key) == b"theirs"


@contextmanager
def _listening(s3: Any, event: str, listener: Callable[..., None]) -> Iterator[None]:
    """Let a test hear a client's event; the client is shared by all tests."""
    s3.meta.events.register(event, listener)
    try:
        yield
    finally:
        s3.meta.events.unregister(event, listener)


def test_a_guarded_write_in_parts_has_its_condition() -> None:
    """Moto does not look at If-Match when an upload is completed, so here is what S3 is asked."""
    asked: list[Any] = []
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket")
        store = S3ObjectStore(s3, "bucket")
        with _listening(
            s3, "provide-client-params.s3.CompleteMultipartUpload", lambda params, **_: asked.append(params)
        ):
            for _ in range(2):
                _stream_guarded(store, "large", bytes(PART + 1), lambda: None)
            etag = s3.head_object(Bucket="bucket", Key="large")["ETag"]
            _stream_guarded(store, "large", bytes(PART + 1), lambda: None)
    assert [(one.get("IfNoneMatch"), one.get("IfMatch")) for one in asked] == [("*", None), (None, etag), (None, etag)]


@pytest.mark.parametrize("status", [404, 409, 412])
def test_a_condition_that_does_not_hold_is_an_answer(status: int) -> None:
    """Deleted since, written at this moment, written since; but without a guard, an error is an error."""
    error = {"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket")
        store = S3ObjectStore(s3, "bucket")

        def fail(**_: Any) -> None:
            raise ClientError(error, "PutObject")  # type: ignore[arg-type]  # as much of an answer as is looked at

        with _listening(s3, "provide-client-params.s3.PutObject", fail):
            with pytest.raises(ObjectChanged):
                store.write("k", b"", guard=lambda: None)
            with pytest.raises(ClientError):
                store.write("k", b"")
