"""An Eraser of the fake bucket."""

from __future__ import annotations

from tests.fakes import FakeObjectStore


class FakeEraser:
    """Erases objects of a bucket in memory. `old` are keys with old versions; what is replaced later adds none."""

    def __init__(self, store: FakeObjectStore, old: set[str] | None = None) -> None:
        self.store = store
        self.old = old if old is not None else set()

    def erase(self, prefix: str) -> int:
        """Erase these objects."""
        keys = {key for key in (*self.store.objects, *self.old) if key.startswith(prefix)}
        for key in keys:
            self.store.objects.pop(key, None)
            self.old.discard(key)
        return len(keys)

    def erase_key(self, key: str, version: str = "") -> int:
        """Erase one object."""
        if version and key in self.old:  # a later object of the same key stays
            self.old.discard(key)
            return 1
        was_there = key in self.store.objects or key in self.old
        self.store.objects.pop(key, None)
        self.old.discard(key)
        return int(was_there)

    def erase_old(self, prefix: str) -> int:
        """Erase the old versions."""
        keys = {key for key in self.old if key.startswith(prefix)}
        self.old -= keys
        return len(keys)
