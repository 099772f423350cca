"""What a `batchdrop forget` names: a recipe, a file, rows of a file, or a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from batchdrop.answer_store.forgotten import UNNAMED, Tombstone, subject_id
from batchdrop.job.remembering import subject_of

SKEW = 900  # seconds: AWS refuses requests from a clock that is further off, so no upload before now is later than this

Kind = Literal["recipe", "file", "rows", "subject"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`jobs` are the ids of a file's jobs, without their versions. `columns` are those that may have the `subject`.

    `rows` count from 1. `takes_unnamed`: also stored answers that name no subject, whosever they are.
    """

    recipe: str
    jobs: frozenset[str] = frozenset()
    rows: frozenset[int] = frozenset()
    subject: str | None = None
    columns: tuple[str, ...] = ()
    takes_unnamed: bool = False

    @property
    def kind(self) -> Kind:
        """Return which of the four it is."""
        if self.subject is not None:
            return "subject"
        if self.rows:
            return "rows"
        return "file" if self.jobs else "recipe"

    @property
    def is_whole(self) -> bool:
        """Return whether all rows of its jobs are forgotten."""
        return self.kind in {"recipe", "file"}

    def has_row(self, number: int, cells: Mapping[str, Any] | None) -> bool:
        """Return whether a row is forgotten, in a job that may have some."""
        if self.subject is None:
            return self.is_whole or number in self.rows
        return any(subject_of(cells, column).strip() == self.subject.strip() for column in self.columns)

    def tombstone(
        self, *, until: int, secret: bytes, keys: frozenset[bytes] = frozenset(), uploads: frozenset[int] = frozenset()
    ) -> Tombstone:
        """Return the tombstone for the recipe's store. `keys` and `uploads` are those of its jobs and rows."""
        subjects = [] if self.subject is None else [subject_id(secret, self.subject)]
        subjects += [UNNAMED] if self.takes_unnamed else []
        everything = self.kind == "recipe"
        return Tombstone(until, tuple(sorted(keys)), tuple(subjects), tuple(sorted(uploads)), everything)

    def __str__(self) -> str:
        """Return it in words."""
        match self.kind:
            case "recipe":
                return f"recipe {self.recipe}"
            case "subject":
                return f"subject {self.subject!r} of recipe {self.recipe}"
            case "rows":
                numbers = ", ".join(f"{row:,}" for row in sorted(self.rows)[:10])
                return f"row {numbers} of job {', '.join(sorted(self.jobs))}"
            case "file":
                return f"job {', '.join(sorted(self.jobs))}"
