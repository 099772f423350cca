"""The answer store, as Protocols: in a bucket for a stack, in a SQLite file for use without one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.entry import Entry
from batchdrop.answer_store.forgotten import Forgotten, Tombstone


class View(msgspec.Struct, frozen=True):
    """The runs of a store at one moment. All look-ups of a job use one view, so all its attempts find the same answers.

    `runs` names the published runs, each in the backend's own way. `tombstones` say what no look-up may find in them.
    """

    runs: tuple[str, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()


class Place(NamedTuple):
    """Where a found answer is: the number of its run in the view, and its entry."""

    run: int
    entry: Entry


class LookUp(Protocol):
    """Finds the answers of one view."""

    def find(self, keys: Iterable[bytes | None], *, packed: bool) -> list[Place | None]:
        """Return where the answer to each key is; None for an unknown or expired one, and for None.

        `packed`: answers from packs serve, too. An answer to a row sent alone comes first, then the newest.
        """

    def answers(self, places: Sequence[Place]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers in the order in which they are stored, each with its number in `places`.

        Memory does not grow with their number. Raises AnswerStoreDamaged.
        """


class AnswerStore(Protocol):
    """The answers of all recipes. A recipe's name may contain slashes."""

    def secret(self, recipe: str) -> bytes:
        """Return the secret of a recipe's keys, 32 bytes. It is made at the first call, and stays."""

    def view(self, recipe: str, *, since: int = 0) -> View:
        """Return what is published now, as far as it has answers from `since` (Unix seconds) or later."""

    def opened(self, recipe: str, view: View, *, since: int, rows: int) -> AbstractContextManager[LookUp]:
        """Open a view for about `rows` look-ups. Answers from before `since` (Unix seconds) are absent.

        Raises AnswerStoreDamaged, also if a run of the view is gone.
        """

    def write_run(self, recipe: str, name: str, answers: Iterable[Answer]) -> None:
        """Write a run of at most a shard's answers. No view has it until it is published.

        A repeated call writes the same answers. A published run does not change.
        """

    def publish(self, recipe: str, names: Sequence[str]) -> None:
        """Add written runs to the store. Those that were added before change nothing.

        Raises AnswerStoreDamaged if a run was not written, and LedgerContended if others publish all the time.
        """

    def forget(self, recipe: str, tombstone: Tombstone) -> None:
        """Forget answers: no view that is made from now on finds them, also if they are published later.

        Raises LedgerContended if others publish all the time.
        """

    def forgotten(self, recipe: str) -> Forgotten:
        """Return all that was forgotten."""

    def compact(self, recipe: str, *, since: int) -> None:
        """Merge runs if there are many, and drop answers from before `since`.

        Views that are opened with this `since` or a later one stay as they are.
        """
