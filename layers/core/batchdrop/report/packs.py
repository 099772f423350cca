"""What became of a job's packs: how many were answered, and which of their rows were sent again."""

from __future__ import annotations

import msgspec


class PackCounts(msgspec.Struct):
    """Answered packs, the rows in them, and the rows that were to be sent alone, by the reason.

    Reasons: `missing` (no object), `invalid` (it breaks the schema), `cut` (the answer ended before it), `numbers` (the
    model lost count), `unreadable` (no JSON), `refused` (the API refused the request), or another stop_reason.
    """

    packs: int = 0
    rows: int = 0
    again: dict[str, int] = {}

    @property
    def rows_again(self) -> int:
        """Return how many rows were to be sent alone."""
        return sum(self.again.values())

    def merge(self, other: PackCounts) -> None:
        """Add the packs of another shard."""
        self.packs += other.packs
        self.rows += other.rows
        for reason, count in other.again.items():
            self.again[reason] = self.again.get(reason, 0) + count
