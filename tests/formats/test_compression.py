"""Compressed files: read to their end or refused, resumed anywhere, in memory that a bomb cannot fill."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import tracemalloc
from collections.abc import Callable, Generator
from typing import BinaryIO, get_args

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.formats.compression.compression import Bounds, compressing, decompressed
from batchdrop.adapters.formats.compression.decoders import BLOCK, Kind
from batchdrop.errors import UploadRejected
from tests.formats.reading import Bytes, Collected

KINDS: tuple[Kind, ...] = get_args(Kind)
kinds = st.sampled_from(KINDS)
COMPRESS: dict[Kind, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
DECOMPRESS: dict[Kind, Callable[[bytes], bytes]] = {
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "zst": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
TEXT = b"".join(b"%d,a row of some length,%d\n" % (number, number * 7919) for number in range(3_000))


def _read(body: bytes, kind: Kind, *, start: int = 0, block: int = 1 << 20) -> bytes:
    return b"".join(decompressed(Bytes(body, name="f.csv.x", block=block), kind).blocks(start))


def _refusal(body: bytes, kind: Kind) -> str:
    with pytest.raises(UploadRejected) as caught:
        _read(body, kind)
    return str(caught.value)


@given(kinds, st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 99))
def test_all_members_are_read(kind: Kind, parts: list[bytes], block: int, start: int) -> None:
    """Whatever is concatenated, empty members too, comes out whole, from any offset, however the bytes arrive."""
    body = b"".join(map(COMPRESS[kind], parts))
    assert _read(body, kind, block=block, start=start) == b"".join(parts)[start:]


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_within_a_source(kind: Kind) -> None:
    """Name, size and random access are those of a file that was never compressed."""
    source = decompressed(Bytes(COMPRESS[kind](TEXT), name="f.csv.gz"), kind)
    assert (source.name, source.size) == ("f.csv.gz", len(TEXT))
    with source.open() as file:
        file.seek(-10, 2)
        assert file.read() == TEXT[-10:]
    assert decompressed(source, kind).name == source.name


@pytest.mark.parametrize("kind", KINDS)
def test_no_cut_goes_unseen(kind: Kind) -> None:
    """A file cut off anywhere is refused, never read as a shorter one; between two members it is whole."""
    first, second = COMPRESS[kind](b"first,1\n" * 9), COMPRESS[kind](b"second,2\n")
    body = first + second
    for end in range(1, len(body)):
        if end == len(first):
            continue
        text = _refusal(body[:end], kind)
        assert text.startswith("f.csv.x: it ")
        assert text.endswith("Compress the file again and drop it again")
    assert f"{len(body) - 1:,} bytes" in _refusal(body[:-1], kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_the_data_is_reported(kind: Kind) -> None:
    """Bytes behind the last member are data that would be lost."""
    assert "or it is damaged" in _refusal(COMPRESS[kind](TEXT) + b"more,rows\n", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_file_is_not_a_compressed_file(kind: Kind) -> None:
    """Nothing at all is refused; a member that holds nothing is an empty file."""
    assert "it is empty" in _refusal(b"", kind)
    assert _read(COMPRESS[kind](b""), kind) == b""


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_compressed_is_reported(kind: Kind) -> None:
    """A .csv renamed to .csv.gz says what it is not."""
    assert "it is not " in _refusal(TEXT, kind)


@given(kinds, st.integers(0, 2_000), st.integers(1, 255))
def test_a_flipped_byte_is_reported_or_harmless(kind: Kind, at: int, flip: int) -> None:
    """Damage is refused; only a header's byte without a meaning for the data (a time, a flag) may differ."""
    body = bytearray(COMPRESS[kind](TEXT))
    body[at % len(body)] ^= flip
    with contextlib.suppress(UploadRejected):
        assert _read(bytes(body), kind) == TEXT


@given(kinds, st.binary(max_size=200))
def test_random_bytes_are_refused(kind: Kind, body: bytes) -> None:
    """No bytes raise anything else."""
    magic = COMPRESS[kind](b"x")[:4]
    for given_bytes in (body, magic + body):
        with contextlib.suppress(UploadRejected):
            _read(given_bytes, kind)


class _Bomb:
    """A source of zeros, compressed, without end."""

    name = "f.csv.x"
    size = 0

    def __init__(self, kind: Kind) -> None:
        self._member = COMPRESS[kind](bytes(64 * BLOCK))

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield one member after the other."""
        assert start == 0
        yield from itertools.repeat(self._member)

    def open(self) -> BinaryIO:
        """Never asked for."""
        raise NotImplementedError


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_stopped_in_flat_memory(kind: Kind) -> None:
    """What expands too far is refused with both numbers, and no block of it is larger than a block."""
    source = decompressed(_Bomb(kind), kind)
    tracemalloc.start()
    try:
        with pytest.raises(
            UploadRejected, match=r"f\.csv\.x: its first [\d,]+ bytes expand to 10[\d,]+, more than 250"
        ):
            assert all(len(block) <= BLOCK for block in source.blocks())
        assert tracemalloc.get_traced_memory()[1] < 12 * BLOCK
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_are_told(kind: Kind) -> None:
    """The sizes that are too much on a stream and on disk are named, and the way out."""
    source = decompressed(Bytes(COMPRESS[kind](TEXT)), kind, bounds=Bounds(streamed=1_000, spooled=500))
    with pytest.raises(UploadRejected, match=r"expand to more than 1,000\. Split it into smaller files"):
        list(source.blocks())
    with pytest.raises(UploadRejected, match=r"expand to more than 500\."):
        source.open()


def test_a_window_too_large_is_reported() -> None:
    """A frame made with `zstd --long=31` says how to make it again."""
    params = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    compressor = zstandard.ZstdCompressor(compression_params=params).compressobj()
    body = compressor.compress(TEXT) + compressor.flush()
    assert "again without --long" in _refusal(body, "zst")


def test_frames_to_skip_are_skipped() -> None:
    """Parallel compressors put frames of their own between those with data."""
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"
    zst = COMPRESS["zst"]
    assert _read(skippable + zst(b"a") + skippable + zst(b"b") + skippable, "zst") == b"ab"


def test_padding_of_gzip_is_not_data() -> None:
    """Zeros behind a gzip file, as tapes and some tools leave them, are none of it."""
    assert _read(gzip.compress(b"a") + bytes(512), "gz") == b"a"


@given(kinds, st.lists(st.lists(st.binary(max_size=50), max_size=4), min_size=1, max_size=4))
def test_parts_compress_each_for_itself(kind: Kind, parts: list[list[bytes]]) -> None:
    """Concatenated parts are one file; the same bytes compress to the same bytes."""
    first, second = Collected(), Collected()
    for target in (first, second):
        for pieces in parts:
            with compressing(target, kind) as writer:
                for piece in pieces:
                    writer.write(piece)
    assert first.body == second.body
    assert _read(first.body, kind) == b"".join(map(b"".join, parts))
    if len(parts) == 1:
        assert DECOMPRESS[kind](first.body) == b"".join(parts[0])


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_ends_no_part(kind: Kind) -> None:
    """A part that failed half-way is not closed to look whole."""
    target = Collected()
    with pytest.raises(TypeError), compressing(target, kind) as writer:
        writer.write("no bytes")  # type: ignore[arg-type] # wrong on purpose
    assert not target.body or "too early" in _refusal(target.body, kind)
