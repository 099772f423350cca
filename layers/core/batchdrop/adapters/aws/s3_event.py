"""Read S3's event notification as uploads."""

from __future__ import annotations

from datetime import datetime
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
    records: list[_Record] = []


def uploads_in(event: object) -> list[Upload]:
    """Return the uploads of an event; none for S3's own test event.

    Keys in events are form-encoded (a space is `+`); the uploads have the keys of the bucket. Raises
    msgspec.ValidationError for any other event.
    """
    return [
        Upload(
            bucket=record.s3.bucket.name,
            key=unquote_plus(record.s3.object.key),
            etag=record.s3.object.etag,
            size=record.s3.object.size,
            uploaded_at=record.event_time,
            sequencer=record.s3.object.sequencer,
            version=record.s3.object.version_id,
        )
        for record in msgspec.convert(event, _Event).records
    ]
