"""Which closing of a job is the last? Only that one may write the job's outputs.

Step Functions repeats a function whose contact it lost, and the first one may go on for minutes: past the repeated
one's end, past the user's resume, and past the resumed job's own closing. So a closing notes its beginning before it
reads anything, and each of its outputs is written on two conditions: that no later one is noted, and that nobody has
written that output since it was looked whether there is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from batchdrop.errors import JobClosedSince
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore

CLOCKS_DIFFER = timedelta(seconds=1)  # between two hosts: a repeated closing may seem to begin before the first


class _Closing(msgspec.Struct):
    began: datetime


def announce(began: datetime, key: str, store: ObjectStore) -> datetime:
    """Note that this closing has begun, so that no earlier one writes any more; return when, in the order of closings.

    Raises JobClosedSince if a later one has begun, and ObjectChanged if one does at this moment.
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
    """Raise JobClosedSince if a later closing has begun: this attempt was given up for dead, and is outdated."""
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
