"""Writes under a guard, whatever the ObjectStore: they appear whole and unchallenged, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.adapters.aws.s3_multipart import PART
from batchdrop.adapters.aws.s3_stitching import MIN_PIECE_BYTES
from batchdrop.ports import Guard, ObjectChanged, ObjectStore
from tests.aws import client
from tests.contract.buckets import KEY, BrokenOnPurpose, Bucket, listening


def _write_guarded(store: ObjectStore, key: str, data: bytes, guard: Guard) -> None:
    store.write(key, data, guard=guard)


def _stream_guarded(store: ObjectStore, key: str, data: bytes, guard: Guard) -> None:
    with store.writer(key, guard=guard) as writer:
        writer.write(data)


def _stitch_guarded(store: ObjectStore, key: str, data: bytes, guard: Guard) -> None:
    store.stitch(key, [data], guard=guard)


def _stitch_guarded_of_copies(store: ObjectStore, key: str, data: bytes, guard: Guard) -> None:
    store.write("part", bytes(MIN_PIECE_BYTES))
    store.stitch(key, ["part", data], guard=guard)


GUARDED = pytest.mark.parametrize("write", [_write_guarded, _stream_guarded, _stitch_guarded])
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


@pytest.mark.parametrize("write", [_stream_guarded, _stitch_guarded_of_copies])
def test_a_guarded_write_in_parts_has_its_condition(write: GuardedWrite) -> None:
    """Moto does not look at If-Match when an upload is completed, so here is what S3 is asked."""
    asked: list[Any] = []
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket")
        store = S3ObjectStore(s3, "bucket")
        with listening(
            s3, "provide-client-params.s3.CompleteMultipartUpload", lambda params, **_: asked.append(params)
        ):
            for _ in range(2):
                write(store, "large", bytes(PART + 1), lambda: None)
            etag = s3.head_object(Bucket="bucket", Key="large")["ETag"]
            write(store, "large", bytes(PART + 1), lambda: None)
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

        with listening(s3, "provide-client-params.s3.PutObject", fail):
            with pytest.raises(ObjectChanged):
                store.write("k", b"", guard=lambda: None)
            with pytest.raises(ClientError):
                store.write("k", b"")
