"""EventBridge: tells whoever listens what became of a job."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from batchdrop.errors import AwsUnavailable
from batchdrop.job.job_event import DETAIL_TYPE, SOURCE, JobEvent, encoded
from batchdrop.job.ports import EventNotTaken

TRIES = 3  # of an entry that EventBridge answers with an error of its own, beside the SDK's retries of the call


class EventBridgeJobEvents:
    """JobEvents on the account's default event bus."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, event: JobEvent) -> None:
        """Put one event. Raises EventNotTaken: PutEvents answers 200 also for an entry that it did not take."""
        entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Time": event.at, "Detail": encoded(event)}
        refusal = ""
        for _ in range(TRIES):
            refusal = self._refusal(entry)
            if not refusal:
                return
        raise EventNotTaken(refusal)

    def _refusal(self, entry: dict[str, Any]) -> str:
        """Return why the entry was not taken; empty if it was."""
        try:
            answer = self._client.put_events(Entries=[entry])
        except (AwsUnavailable, ClientError, BotoCoreError) as error:
            raise EventNotTaken(str(error)) from error
        if not answer["FailedEntryCount"]:
            return ""
        [told] = answer["Entries"]
        return f"{told.get('ErrorCode', 'unknown error')}: {told.get('ErrorMessage', '')}"
