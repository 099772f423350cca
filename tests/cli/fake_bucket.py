"""The bucket as commands see it, in a dictionary."""

from collections.abc import Iterator
from datetime import UTC, datetime

from batchdrop.cli.bucket import Stored
from tests.fakes import FakeObjectStore

WRITTEN_AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class FakeBucket(FakeObjectStore):
    """Files in memory; all were written at `written_at`."""

    written_at = WRITTEN_AT

    def listed(self, prefix: str) -> Iterator[Stored]:
        """What lies directly under a prefix, folders as one each."""
        folders = set()
        for key in self.keys(prefix):
            name, slash, _ = key.removeprefix(prefix).partition("/")
            if not slash:
                yield Stored(key, self.size(key), self.written_at)
            elif name not in folders:
                folders.add(name)
                yield Stored(f"{prefix}{name}/")
