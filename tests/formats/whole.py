"""The whole output of some parts, written as the use cases write it."""

from collections.abc import Iterable

from batchdrop.finish.write_output import write_output
from batchdrop.job.ports import OutputFormat
from tests.fakes import FakeObjectStore


def whole_of(output: OutputFormat, parts: Iterable[bytes]) -> bytes:
    """Return the output of these parts."""
    store = FakeObjectStore()
    for number, part in enumerate(parts):
        store.write(f"parts/{number:05d}", part)
    write_output(output, "output", list(store.keys("parts/")), store=store, guard=lambda: None)
    return store.read("output")
