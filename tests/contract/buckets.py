"""A bucket with one object in it: the fake, and S3 as moto serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.ports import ObjectStore
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
    version: str = ""


def fake_bucket() -> Bucket:
    """Return the fake."""
    store = FakeObjectStore(block=3)
    store.write(KEY, b"0123456789")
    store.versions["first"] = b"0123456789"
    return Bucket(store, store.etag(KEY), "first")


def s3_bucket() -> Bucket:
    """Return S3; for use inside `mock_aws`."""
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    put = s3.put_object(Bucket="bucket", Key=KEY, Body=b"0123456789")
    return Bucket(S3ObjectStore(s3, "bucket"), put["ETag"].strip('"'), put["VersionId"])


@contextmanager
def listening(s3: Any, event: str, listener: Callable[..., None]) -> Iterator[None]:
    """Let a test hear a client's event; the client is shared by all tests."""
    s3.meta.events.register(event, listener)
    try:
        yield
    finally:
        s3.meta.events.unregister(event, listener)
