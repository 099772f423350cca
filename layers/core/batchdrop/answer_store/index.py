"""The sorted index of a run: entries, a fence and a checksum for each page of them, and a footer.

A reader keeps the fences and checksums: 12 bytes for 128 entries. It finds a key with one read of one page. The footer
has a digest of the fences and checksums, and these cover each page, so every changed or missing byte is noticed.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

from batchdrop.answer_store.answer import damaged
from batchdrop.answer_store.entry import ENTRY_BYTES, Entry

PAGE_ENTRIES = 128
PAGE_BYTES = PAGE_ENTRIES * ENTRY_BYTES  # 4 KB
BLOCK_PAGES = 64  # pages that are read, or written, together: 256 KB, and 0.6 MB as entries

Read = Callable[[int, int], bytes]
"""Returns the bytes of a file from `start` up to but not including `end`."""

_MAGIC = b"bdindex1"
_FACTS = struct.Struct(">8sQQII")
_DIGEST_BYTES = 32
FOOTER_BYTES = _FACTS.size + _DIGEST_BYTES
_FENCE = 8  # bytes of a page's first key
_FENCE_OF = struct.Struct(">Q").unpack_from  # of a key
_TABLES_ENTRY = _FENCE + 4


class Footer(NamedTuple):
    """The number of entries, the size of the answers' file in bytes, and the times of the oldest and newest answer."""

    entries: int
    answers_bytes: int
    oldest: int
    newest: int

    @property
    def pages(self) -> int:
        """Return the number of pages."""
        return -(-self.entries // PAGE_ENTRIES)

    @property
    def entries_bytes(self) -> int:
        """Return the size of all entries."""
        return self.entries * ENTRY_BYTES

    @property
    def size(self) -> int:
        """Return the size of the whole index."""
        return self.entries_bytes + self.pages * _TABLES_ENTRY + FOOTER_BYTES


class IndexWriter:
    """Writes an index in one pass, in flat memory. The entries come sorted."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._fences, self._checksums = array("Q"), array("I")
        self._waiting: list[bytes] = []
        self._entries = 0
        self._oldest, self._newest = 2**32 - 1, 0

    def add(self, entries: list[bytes]) -> None:
        """Append entries."""
        self._waiting += entries
        if len(self._waiting) >= BLOCK_PAGES * PAGE_ENTRIES:
            whole = len(self._waiting) // PAGE_ENTRIES * PAGE_ENTRIES
            self._write_pages(self._waiting[:whole])
            del self._waiting[:whole]

    def end(self, answers_bytes: int) -> Footer:
        """Write the rest, the tables and the footer. `answers_bytes` is the size of the answers' file."""
        self._write_pages(self._waiting)
        footer = Footer(self._entries, answers_bytes, min(self._oldest, self._newest), self._newest)
        tables = _big_endian(self._fences) + _big_endian(self._checksums)
        self._write(tables)
        self._write(_sealed(footer, tables))
        return footer

    def _write_pages(self, entries: list[bytes]) -> None:
        if not entries:
            return
        block = b"".join(entries)
        for start in range(0, len(block), PAGE_BYTES):
            self._fences.append(int.from_bytes(block[start : start + _FENCE], "big"))
            self._checksums.append(crc32(block[start : start + PAGE_BYTES]))
        times = [entry[_TIME] for entry in entries]
        self._oldest = min(self._oldest, int.from_bytes(min(times), "big"))
        self._newest = max(self._newest, int.from_bytes(max(times), "big"))
        self._entries += len(entries)
        self._write(block)


_TIME = slice(17, 21)


class Index:
    """An index to look keys up in. `read` reads its file of `size` bytes; `name` names it in messages.

    Raises AnswerStoreDamaged if the file is cut or changed.
    """

    def __init__(self, read: Read, size: int, *, name: str) -> None:
        self._read, self._name = read, name
        self.footer = footer = self._footer(size)
        tables = read(footer.entries_bytes, size - FOOTER_BYTES) if footer.entries else b""  # S3 has no empty range
        if _sealed(footer, tables) != read(size - FOOTER_BYTES, size):
            raise damaged(self._name, "its tables have changed")
        # A list: an array makes a number of each fence that it compares. It takes 3 MB for 10,000,000 entries.
        self._fences = _from_big_endian("Q", tables[: footer.pages * _FENCE]).tolist()
        self._checksums = _from_big_endian("I", tables[footer.pages * _FENCE :])
        self._last_page = footer.pages - 1  # it may be shorter than the others
        self._is_proven = False

    def find(self, key: bytes) -> list[Entry]:
        """Return the entries of a key: none, one, or one alone and one from a pack."""
        (fence,) = _FENCE_OF(key)
        last = bisect_right(self._fences, fence) - 1
        if last < 0:
            return []
        if self._is_proven and self._fences[last] != fence and last != self._last_page:  # nearly always
            start = last * PAGE_BYTES
            pages = self._read(start, start + PAGE_BYTES)
        else:
            first = last
            while first and self._fences[first] == fence:  # its first entry may end the page before
                first -= 1
            pages = self._pages(first, last + 1)
        at = pages.find(key)
        while at % ENTRY_BYTES and at > 0:  # the same bytes across two entries
            at = pages.find(key, at + 1)
        if at < 0:  # most keys of a new file
            return []
        found = []
        while pages.startswith(key, at):
            found.append(Entry.read(pages, at))
            at += ENTRY_BYTES
        return found

    def prove(self) -> None:
        """Check all pages once, so that `find` need not check the page that it reads."""
        for _ in self.blocks():
            pass
        self._is_proven = True

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield all entries, in order, in blocks of 256 KB."""
        for first in range(0, self.footer.pages, BLOCK_PAGES):
            block = self._pages(first, min(first + BLOCK_PAGES, self.footer.pages))
            yield [block[at : at + ENTRY_BYTES] for at in range(0, len(block), ENTRY_BYTES)]

    def _pages(self, first: int, end: int) -> bytes:
        until = min(end * PAGE_BYTES, self.footer.entries_bytes)
        pages = self._read(first * PAGE_BYTES, until)
        if not self._is_proven:
            self._check(pages, first, until)
        return pages

    def _check(self, pages: bytes, first: int, until: int) -> None:
        if len(pages) != until - first * PAGE_BYTES:
            raise damaged(self._name, "it is cut")
        for page, start in enumerate(range(0, len(pages), PAGE_BYTES), first):
            if crc32(pages[start : start + PAGE_BYTES]) != self._checksums[page]:
                raise damaged(self._name, f"page {page} has changed")

    def _footer(self, size: int) -> Footer:
        if size < FOOTER_BYTES:
            raise damaged(self._name, "it is cut")
        magic, *facts = _FACTS.unpack(self._read(size - FOOTER_BYTES, size)[: _FACTS.size])
        footer = Footer(*facts)
        if magic != _MAGIC or footer.size != size:
            raise damaged(self._name, "it is cut, or no index")
        return footer


def _sealed(footer: Footer, tables: bytes) -> bytes:
    facts = _FACTS.pack(_MAGIC, *footer)
    return facts + blake2b(tables + facts, digest_size=_DIGEST_BYTES).digest()


def _big_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "little":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _from_big_endian(form: str, table: bytes) -> array[int]:
    numbers = array(form, table)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
