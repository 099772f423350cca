"""Stand-ins for what admits rounds. `tests/contract/` holds the states to what the real adapter does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from batchdrop.admission.admission import Admission
from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.admission.ports import Changed, Result, SharedStates
from batchdrop.errors import LedgerContended
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.ports import Clock, ObjectStore


class FakeSharedStates:
    """Shared states in a dictionary. While `is_contended`, others come between every write."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], bytes] = {}
        self.is_contended = False
        self.writes = 0

    def read(self, owner: str, fact: str) -> bytes | None:
        """Return the text as it stands."""
        return self.texts.get((owner, fact))

    def change(
        self,
        owner: str,
        fact: str,
        change: Callable[[bytes | None], Changed[Result]],
        *,
        at: datetime,
    ) -> Result:
        """Write what `change` makes of the text. Raises LedgerContended."""
        standing = self.read(owner, fact)
        made, result = change(standing)
        if made is not None and made != standing:
            if self.is_contended:
                raise LedgerContended(owner)
            self.texts[owner, fact] = made
            self.writes += 1
        return result


def admission_of(
    state: ShardState, *, store: ObjectStore, ledger: Ledger, states: SharedStates, clock: Clock, limit: int = 200_000
) -> Admission:
    """Return what admits a round, without jitter."""
    places = QueuePlaces(states, clock, limit)
    return Admission(state, store=store, ledger=ledger, places=places, clock=clock, jitter=lambda: 0.0)


class OpenDoor(Admission):
    """Admits every round, and asks nobody."""

    def __init__(self) -> None:
        """Take nothing."""

    def request_turn(self) -> None:
        """Admit it."""

    def is_unplanned(self) -> bool:
        """Tell that every round is planned."""
        return False

    def stands(self) -> bool:
        """Tell that it is admitted still."""
        return True

    def give_back(self) -> None:
        """Let go of nothing."""

    def leave_queue(self) -> None:
        """Leave no place."""
