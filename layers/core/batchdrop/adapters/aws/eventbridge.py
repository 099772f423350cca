"""Publish the events of jobs on EventBridge."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from batchdrop.errors import AwsUnavailable
from batchdrop.job.job_event import DETAIL_TYPE, SOURCE, JobEvent, encoded
from batchdrop.job.ports import EventNotTaken

TRIES = 3  # of an entry that EventBridge refuses in an answer with status 200, which the SDK does not retry


class EventBridgeJobEvents:
    """JobEvents on the account's default event bus."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, event: JobEvent) -> None:
        """Put one event. Raises EventNotTaken, also where PutEvents answers 200 but refuses the entry."""
        entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Time": event.at, "Detail": encoded(event)}
        refusal = ""
        for _ in range(TRIES):
            refusal = self._refusal(entry)
            if not refusal:
                return
        raise EventNotTaken(refusal)

    def _refusal(self, entry: dict[str, Any]) -> str:
        """Return why the entry was refused; empty if it was accepted."""
        try:
            answer = self._client.put_events(Entries=[entry])
        except (AwsUnavailable, ClientError, BotoCoreError) as error:
            raise EventNotTaken(str(error)) from error
        if not answer["FailedEntryCount"]:
            return ""
        [told] = answer["Entries"]
        return f"{told.get('ErrorCode', 'unknown error')}: {told.get('ErrorMessage', '')}"
