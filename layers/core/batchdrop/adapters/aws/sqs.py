"""The live lane's queue on SQS."""

from __future__ import annotations

from typing import Any


class SqsQueue:
    """Queue on an SQS queue."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str) -> None:
        """Send a message."""
        self._client.send_message(QueueUrl=self._url, MessageBody=body)
