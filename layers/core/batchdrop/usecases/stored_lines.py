"""Lines of the files that batchdrop wrote itself."""

from collections.abc import Iterable, Iterator


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes into lines, without their newlines. A last line without newline is a line too."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest
