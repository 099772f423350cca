"""Parts that make the output simply by standing behind each other."""

from collections.abc import Iterable
from contextlib import closing

from batchdrop.ports import Source, Writer


def copy(parts: Iterable[Source], target: Writer) -> None:
    """Write the parts behind each other."""
    for part in parts:
        with closing(part.blocks()) as blocks:
            for block in blocks:
                target.write(block)
