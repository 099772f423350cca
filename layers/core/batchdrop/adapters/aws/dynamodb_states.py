"""Shared states in the ledger: one item each, with its JSON text and a version that every write compares.

`processing_queue` + `places` holds the requests of all jobs in the API's processing queue, `<job>` + `budget` a job's
budget. Items expire LEDGER_KEPT after their last write.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr

from batchdrop.admission.ports import Changed, Result
from batchdrop.errors import LedgerContended
from batchdrop.limits import LEDGER_KEPT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

TRIES = 12
FIRST_PAUSE = 0.05  # seconds: doubled at each try, with full jitter, so that writers spread out
LONGEST_PAUSE = 2.0


class DynamoSharedStates:
    """SharedStates on the ledger's table."""

    def __init__(self, table: Table, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions
        self._pause = pause

    def read(self, owner: str, fact: str) -> bytes | None:
        """Return the present text."""
        text, _ = self._standing(owner, fact)
        return text

    def change(
        self, owner: str, fact: str, change: Callable[[bytes | None], Changed[Result]], *, at: datetime
    ) -> Result:
        """Write what `change` makes of the text. Retry after a pause if others have written meanwhile."""
        for number in range(TRIES):
            text, version = self._standing(owner, fact)
            made, result = change(text)
            if made is None or made == text or self._written(owner, fact, made, version, at):
                return result
            self._pause(random.uniform(0, min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)))
        message = f"{owner} {fact}: others wrote it each of {TRIES} times"
        raise LedgerContended(message)

    def _standing(self, owner: str, fact: str) -> tuple[bytes | None, int]:
        item: Any = self._table.get_item(Key={"job": owner, "fact": fact}, ConsistentRead=True).get("Item")
        return (None, 0) if item is None else (item["text"].encode(), int(item["version"]))

    def _written(self, owner: str, fact: str, text: bytes, seen: int, at: datetime) -> bool:
        item: Any = {
            "job": owner,
            "fact": fact,
            "version": seen + 1,
            "text": text.decode(),
            "expires_at": int((at + LEDGER_KEPT).timestamp()),
        }
        unchanged = Attr("version").eq(seen) if seen else Attr("fact").not_exists()
        try:
            self._table.put_item(Item=item, ConditionExpression=unchanged)
        except self._errors.ConditionalCheckFailedException:
            return False
        return True
