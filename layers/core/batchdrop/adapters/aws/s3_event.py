"""Read S3's event notification as uploads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from batchdrop.job.upload import Upload


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct, rename={"etag": "eTag", "version_id": "versionId"}):
    key: str
    etag: str = ""
    size: int = 0
    sequencer: str = ""
    version_id: str = ""


class _S3(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct, rename={"event_time": "eventTime"}):
    event_time: datetime
    s3: _S3


class _Event(msgspec.Struct, rename={"records": "Records"}):
    records: list[Any] = []


def uploads_in(event: object) -> Iterator[Upload]:
    """Yield the uploads of an event; none for S3's own test event.

    Keys in events are form-encoded (a space is `+`); the uploads have the keys of the bucket. Raises
    msgspec.ValidationError for any other event, and for an odd record after all others were yielded.
    """
    odd: msgspec.ValidationError | None = None
    for told in msgspec.convert(event, _Event).records:
        try:
            record = msgspec.convert(told, _Record)
        except msgspec.ValidationError as error:
            odd = odd or error
        else:
            yield _upload(record)
    if odd is not None:
        raise odd


def _upload(record: _Record) -> Upload:
    told = record.s3.object
    return Upload(
        bucket=record.s3.bucket.name,
        key=unquote_plus(told.key),
        etag=told.etag,
        size=told.size,
        uploaded_at=record.event_time,
        sequencer=told.sequencer,
        version=told.version_id,
    )
