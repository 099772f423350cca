"""What every ObjectStore promises: the fake and S3 alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.adapters.aws.s3_multipart import PART
from batchdrop.adapters.aws.s3_stitching import MIN_PIECE_BYTES
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore
from tests.aws import client
from tests.contract.buckets import KEY, BrokenOnPurpose, Bucket, listening, s3_bucket
from tests.fakes import FakeObjectStore


def _write_and_break(
    store: ObjectStore, key: str, data: bytes, *, meanwhile: Callable[[], bool] = lambda: True
) -> None:
    with store.writer(key) as writer:
        writer.write(data)
        assert meanwhile()
        raise BrokenOnPurpose


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


def test_keys_are_listed_by_prefix_in_order(bucket: Bucket) -> None:
    """Only what starts with the prefix, to the character, in the order of the keys; nothing there is no error."""
    for key in ("k/b-2", "k/b-10", "k/a", "k/é b", "other"):
        bucket.store.write(key, b"")
    assert list(bucket.store.keys("k/b-")) == ["k/b-10", "k/b-2"]
    assert list(bucket.store.keys("k/")) == ["k/a", "k/b-10", "k/b-2", "k/é b"]
    assert list(bucket.store.keys("nothing/")) == []


def test_keys_go_over_all_pages(bucket: Bucket) -> None:
    """S3 lists 1,000 keys a page."""
    keys = [f"many/{number:05d}" for number in range(1_003)]
    for key in keys:
        bucket.store.write(key, b"")
    assert list(bucket.store.keys("many/")) == keys


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
    store = s3_bucket().store

    def is_open() -> bool:
        return len(client("s3").list_multipart_uploads(Bucket="bucket")["Uploads"]) == 1

    with pytest.raises(BrokenOnPurpose):
        _write_and_break(store, "out", b"x" * (PART + 1), meanwhile=is_open)
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket="bucket")


STITCHED = [
    pytest.param([], id="nothing"),
    pytest.param([b"", "a"], id="an empty object"),
    pytest.param([b"head\n", "b", "a", "b", b"end"], id="small ones"),
    pytest.param(["large"], id="a large one alone"),
    pytest.param([b"head\n", "large", "large"], id="a head before large ones"),
    pytest.param(["large", "b", "large", b"]"], id="a small one between, and an end"),
    pytest.param([b"x" * (MIN_PIECE_BYTES - 1), "b", "b", "large", "least"], id="around the least"),
    pytest.param([bytes(2 * MIN_PIECE_BYTES), KEY], id="much at hand"),
]


@pytest.mark.parametrize("strips", STITCHED)
def test_strips_are_stitched(bucket: Bucket, strips: list[bytes | str]) -> None:
    """Bytes and objects of any sizes, also one of them twice, stand behind each other; what was there is replaced."""
    bodies = {"a": b"", "b": b"small", "large": bytes(range(251)) * 30_000, "least": b"y" * MIN_PIECE_BYTES}
    for key, body in bodies.items():
        bucket.store.write(key, body)
    bodies[KEY] = b"0123456789"
    bucket.store.write("out", b"before")
    bucket.store.stitch("out", iter(strips))
    assert bucket.store.read("out") == b"".join(one if isinstance(one, bytes) else bodies[one] for one in strips)


@pytest.mark.parametrize("large", [b"", bytes(3 * MIN_PIECE_BYTES)])
def test_a_strip_that_is_missing(bucket: Bucket, large: bytes) -> None:
    """Nothing appears, and the answer says which one it is."""
    bucket.store.write("large", large)
    with pytest.raises(ObjectMissing, match="nowhere"):
        bucket.store.stitch("out", ["large", "nowhere"])
    assert not bucket.store.exists("out")


@pytest.mark.parametrize("size", [10, 2 * MIN_PIECE_BYTES])
def test_a_strip_that_is_replaced_meanwhile(size: int) -> None:
    """What is copied, or read, is what was looked at; else nothing appears. The fake, and S3 as it is asked."""
    fake = FakeObjectStore()
    fake.write("part", bytes(size))
    fake.on_read = lambda key: fake.write(key, b"replaced")
    with pytest.raises(ObjectChanged, match="part"):
        fake.stitch("out", ["part"])
    assert not fake.exists("out")
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket")
        store = S3ObjectStore(s3, "bucket")
        store.write("part", bytes(size))

        def replace(params: Any, **_: Any) -> None:
            s3.put_object(Bucket="bucket", Key="part", Body=bytes(size - 1))
            if params.get("CopySourceIfMatch"):  # at which moto does not look
                refused = {"Error": {"Code": "PreconditionFailed"}, "ResponseMetadata": {"HTTPStatusCode": 412}}
                raise ClientError(refused, "UploadPartCopy")  # type: ignore[arg-type]  # as much as is looked at

        reading = "GetObject" if size < MIN_PIECE_BYTES else "UploadPartCopy"
        with (
            listening(s3, f"provide-client-params.s3.{reading}", replace),
            pytest.raises(ObjectChanged, match="part"),
        ):
            store.stitch("out", ["part"])
        assert not store.exists("out")
        assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket")


@mock_aws
def test_large_strips_are_copied_by_s3() -> None:
    """What is sent is the piece that the header begins, and the end; each copy names the object that was looked at."""
    store, s3 = s3_bucket().store, client("s3")
    part = bytes(range(251)) * 60_000
    store.write(KEY, part)
    etag = s3.head_object(Bucket="bucket", Key=KEY)["ETag"]
    asked: list[tuple[str, Any]] = []
    with listening(s3, "provide-client-params.s3.*", lambda params, model, **_: asked.append((model.name, {**params}))):
        S3ObjectStore(s3, "bucket").stitch("out", [b"[", KEY, KEY, b"]"])
    sent = [params["Body"] for name, params in asked if name == "UploadPart"]
    copied = [params for name, params in asked if name == "UploadPartCopy"]
    head = MIN_PIECE_BYTES - 1
    assert sent == [b"[" + part[:head], b"]"]
    assert {(one["PartNumber"], one.get("CopySourceRange")) for one in copied} == {
        (2, f"bytes={head}-{len(part) - 1}"),
        (3, None),
    }
    assert [one["CopySourceIfMatch"] for one in copied] == [etag, etag]
    assert [params["Range"] for name, params in asked if name == "GetObject"] == [f"bytes=0-{head - 1}"]
    assert store.read("out") == b"[" + part + part + b"]"


def test_a_version_stays_readable_after_a_newer_write(bucket: Bucket) -> None:
    """The version is read whole and in ranges; without it, the newer object is read, and the ETag refuses it."""
    bucket.store.write(KEY, b"newer")
    pinned = {"etag": bucket.etag, "version": bucket.version}
    assert b"".join(bucket.store.stream(KEY, start=4, **pinned)) == b"456789"
    assert bucket.store.read_range(KEY, 3, 6, **pinned) == b"345"
    assert b"".join(bucket.store.stream(KEY)) == b"newer"
    with pytest.raises(ObjectChanged):
        list(bucket.store.stream(KEY, etag=bucket.etag))
