"""Have another function draw the page of a running job, without waiting for it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaPageDrawer:
    """PageDrawer on a function whose event is `{"job_id", "at"}`."""

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def request(self, job_id: str, at: datetime) -> None:
        """Invoke the function asynchronously."""
        event = msgspec.json.encode({"job_id": job_id, "at": at})
        self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=event)
