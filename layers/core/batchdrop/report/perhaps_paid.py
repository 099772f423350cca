"""Count the requests that may be paid although no answer shows it, and what they may cost at most."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class PerhapsPaid(msgspec.Struct):
    """Requests that were sent and have no readable result. `worst_usd` is their highest cost; None if not known.

    A job's bill is the cost of its answers, and between nothing and `worst_usd` more.
    """

    requests: int = 0
    worst_usd: Decimal | None = Decimal(0)

    def add(self, requests: int, worst_usd: Decimal | None) -> None:
        """Add more requests."""
        self.requests += requests
        self.worst_usd = None if self.worst_usd is None or worst_usd is None else self.worst_usd + worst_usd
