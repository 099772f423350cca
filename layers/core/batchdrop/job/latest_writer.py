"""Let only the latest closing of a job write the job's outputs. A showing of a sample works in the same way.

Step Functions repeats a function that it cannot reach, but the first call may run for minutes longer. It may outlive
the repeated call, the user's resume, and even the closing of the resumed job. So a closing notes its start before it
reads anything. It writes each output on two conditions: no later closing is noted, and no other function has written
that output after this check.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from batchdrop.errors import JobClosedSince
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore

CLOCKS_DIFFER = timedelta(seconds=1)  # between two hosts: a repeated closing may seem to start before the first


class _Closing(msgspec.Struct):
    began: datetime


def announce(began: datetime, key: str, store: ObjectStore) -> datetime:
    """Note the start of this closing, so that no earlier one writes any more. Return its place in their order, a time.

    Raises JobClosedSince if a later one has begun, and ObjectChanged if another one begins at this moment.
    """
    last = _last_begun(key, store)
    if last is not None:
        if last > began + CLOCKS_DIFFER:
            raise JobClosedSince(_closed_since(last))
        began = max(began, last + timedelta(microseconds=1))

    def unchanged() -> None:
        if _last_begun(key, store) != last:
            raise ObjectChanged(key)

    store.write(key, msgspec.json.encode(_Closing(began)), guard=unchanged)
    return began


def refuse_if_begun_since(began: datetime, key: str, store: ObjectStore) -> None:
    """Raise JobClosedSince if a later closing has begun, because this attempt was superseded."""
    last = _last_begun(key, store)
    if last is not None and last > began:
        raise JobClosedSince(_closed_since(last))


def _last_begun(key: str, store: ObjectStore) -> datetime | None:
    try:
        return msgspec.json.decode(store.read(key), type=_Closing).began
    except ObjectMissing:
        return None


def _closed_since(last: datetime) -> str:
    return f"an attempt to close the job began at {last:%Y-%m-%d %H:%M:%S} UTC, after this one"
