"""Tombstones: which answers are forgotten. A store serves none of them once it has the tombstone."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.entry import Entry

SUBJECT_BYTES = 16
UNNAMED = ""  # the id of answers that name no subject


class Tombstone(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answers that are forgotten if they were given at `until` or before, in Unix seconds.

    They have one of these `keys`, belong to one of these `subjects` (ids as `subject_id` makes them), or come from a
    file that was uploaded at one of the times in `uploads`. `everything`: all of them are forgotten.
    """

    until: int
    keys: tuple[bytes, ...] = ()
    subjects: tuple[str, ...] = ()
    uploads: tuple[int, ...] = ()
    everything: bool = False

    @property
    def what(self) -> tuple[tuple[bytes, ...], tuple[str, ...], tuple[int, ...], bool]:
        """Return what it forgets, without the time."""
        return self.keys, self.subjects, self.uploads, self.everything


class Forgotten:
    """The tombstones of a store, ready to be looked at."""

    def __init__(self, tombstones: Iterable[Tombstone] = ()) -> None:
        self._keys: dict[bytes, int] = {}
        self._subjects: dict[str, int] = {}
        self._uploads: set[int] = set()
        self._all_until = -1
        for one in tombstones:
            for key in one.keys:
                self._keys[key] = max(one.until, self._keys.get(key, 0))
            for subject in one.subjects:
                self._subjects[subject] = max(one.until, self._subjects.get(subject, 0))
            self._uploads.update(one.uploads)
            if one.everything:
                self._all_until = max(self._all_until, one.until)

    def __bool__(self) -> bool:
        """Return whether anything is forgotten."""
        return bool(self._keys or self._subjects or self._uploads) or self._all_until >= 0

    @property
    def needs_answers(self) -> bool:
        """Return whether only the answers themselves tell all that is forgotten: entries have no subject."""
        return bool(self._subjects)

    def has_entry(self, entry: Entry) -> bool:
        """Return whether the entry's answer is forgotten, as far as an entry tells."""
        return self._has(entry.key, entry.at)

    def has_answer(self, answer: Answer) -> bool:
        """Return whether an answer is forgotten."""
        return self.has(answer.digest, answer.at, answer.subject)

    def has(self, key: bytes, at: int, subject: str) -> bool:
        """Return whether the answer to `key`, given at `at` to a row of `subject`, is forgotten."""
        return self._has(key, at) or at <= self._subjects.get(subject, -1)

    def _has(self, key: bytes, at: int) -> bool:
        return at <= self._all_until or at in self._uploads or at <= self._keys.get(key, -1)


def subject_id(secret: bytes, subject: str) -> str:
    """Return the id of a subject: a hash keyed by the store's secret, so it outlives every change of the recipe.

    Spaces around the cell do not count. An empty cell has no subject, and no id.
    """
    text = subject.strip()
    if not text:
        return ""
    return blake2b(
        text.encode(errors="surrogatepass"), digest_size=SUBJECT_BYTES, key=secret, person=b"subject"
    ).hexdigest()
