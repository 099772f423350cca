"""Split batchdrop's own files and the API's results into lines."""

from collections.abc import Iterable, Iterator


def line_blocks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes in blocks of whole lines. Each line has its newline; a last line without one gets it."""
    rest: list[bytes] = []
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, memoryview(block)[:end]))
            rest = [block[end:]]
        else:
            rest.append(block)
    if any(rest):
        yield b"".join((*rest, b"\n"))


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines without their newlines. A last line without a newline is a line, too."""
    for block in line_blocks(blocks):
        yield from block[:-1].split(b"\n")
