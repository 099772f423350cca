"""Text encodings: detection by mark or by name, line ends, and writing."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from operator import methodcaller

from batchdrop.adapters.formats.text.magic import refuse_other_files
from batchdrop.errors import RecipeRejected, UploadRejected

BOM = "\ufeff"
_START = 4096  # bytes at a file's start in which to detect its encoding

# A byte order mark overrides the recipe. UTF-32's starts like UTF-16's, so it comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (BOM.encode("gb18030"), "gb18030"),
)
_UNITS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_UNICODE = ("utf-8", *_UNITS)
_STATEFUL = "iso2022_jp"
# Encodings whose lines cannot be decoded one by one, or that no file uses.
_REFUSED = ("hz", "idna", "iso2022_kr", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")
_SUGGESTED = ("utf-8", "utf-8-sig", "utf-16", "cp932", "shift_jis", "euc_jp", "cp1252", "latin-1", "gb18030", "koi8-r")


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding with its byte order. `marked`: files start with a byte order mark."""

    name: str
    newline: bytes
    marked: bool = False

    @property
    def unit(self) -> int:
        """Return the size of a code unit in bytes."""
        return _UNITS.get(self.name, 1)

    @property
    def line_end(self) -> str:
        """Return the character that ends a line."""
        return self.newline.decode(self.name)

    @property
    def is_unicode(self) -> bool:
        """Return whether the encoding has all characters, with one form for each."""
        return self.name in _UNICODE

    @property
    def is_stateful(self) -> bool:
        """Return whether escape sequences change the meaning of later bytes."""
        return self.name.startswith(_STATEFUL)

    @property
    def mark(self) -> bytes:
        """Return the bytes at the start of an output."""
        return BOM.encode(self.name) if self.marked else b""


UTF_8 = Encoding("utf-8", b"\n")


def encoding_named(name: str, *, key: str = "input.encoding") -> Encoding:
    """Return an encoding by any of its names; `utf-16` and `utf-32` are little-endian without a byte order mark.

    Raises RecipeRejected, naming `key`, for an unknown encoding.
    """
    try:
        found = codecs.lookup(name).name
        newline = "\n".encode(found)
    except (LookupError, ValueError, UnicodeError) as error:
        near = difflib.get_close_matches(name.lower(), _SUGGESTED, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(_SUGGESTED)} and others"
        message = f"key '{key}': unknown encoding '{name}'; {hint}"
        raise RecipeRejected(message) from error
    if found in _REFUSED:
        message = f"key '{key}': {name} files cannot be read row by row; save the file as UTF-8 and drop it again"
        raise RecipeRejected(message)
    return _resolved(found, newline)


def _resolved(found: str, newline: bytes) -> Encoding:
    if found == "utf-8-sig":
        return replace(UTF_8, marked=True)
    if found in {"utf-16", "utf-32"}:
        return Encoding(f"{found}-le", "\n".encode(f"{found}-le"), marked=True)
    return Encoding(found, newline)


def look(blocks: Iterable[bytes], named: str | None, *, filename: str) -> tuple[Encoding, Iterator[bytes]]:
    """Return the encoding of the file that starts with these blocks, and all the blocks again.

    `named` is the recipe's encoding, if any. Raises RecipeRejected like `encoding_named`, and UploadRejected for UTF-16
    without a byte order mark and without a name in the recipe.
    """
    left = iter(blocks)
    start = b""
    for block in left:
        start += block
        if len(start) >= _START:
            break
    encoding = detected(start, named, filename=filename)
    if _ends_lines_with_returns(start, encoding):
        encoding = replace(encoding, newline="\r".encode(encoding.name))
    return encoding, chain((start,), left)


def detected(start: bytes, named: str | None, *, filename: str) -> Encoding:
    """Return the encoding of a file by its first bytes. Raises like `look`."""
    refuse_other_files(start, filename)
    chosen = encoding_named(named) if named else UTF_8
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, "\n".encode(name), marked=True)
    zeros = by_zeros(start[:_START])
    if named is None and zeros is not None:
        message = (
            f"{filename}: the file looks like {zeros}, but has no byte order mark. "
            f"Set `input: {{encoding: {zeros}}}` in the recipe, or save the file as UTF-8 and drop it again"
        )
        raise UploadRejected(message)
    if named and codecs.lookup(named).name in {"utf-16", "utf-32"}:
        return _in_order(chosen.name, start)
    return replace(chosen, marked=False)


def _ends_lines_with_returns(start: bytes, encoding: Encoding) -> bool:
    """Return whether a file has carriage returns alone, as old Macintosh programs wrote them."""
    text = start[: len(start) // encoding.unit * encoding.unit].decode(encoding.name, "replace")
    return "\n" not in text and "\r" in text.rstrip("\r")


def _in_order(name: str, start: bytes) -> Encoding:
    """Return UTF-16 or UTF-32 in the byte order that the zeros of line ends and digits show."""
    half = len(start) // 2 * 2
    is_big = start[:half:2].count(0) > start[1:half:2].count(0)
    ordered = f"{name[:6]}-{'be' if is_big else 'le'}"
    return Encoding(ordered, "\n".encode(ordered))


def by_zeros(start: bytes) -> str | None:
    """Return the UTF-16 or UTF-32 that fits the places of the zero bytes; None if neither does."""
    whole = len(start) // 4
    if not whole:
        return None
    zeros = [start[at : 4 * whole : 4].count(0) for at in range(4)]
    patterns = {
        "utf-32-le": (0, 1, 1, 1),
        "utf-32-be": (1, 1, 1, 0),
        "utf-16-le": (0, 1, 0, 1),
        "utf-16-be": (1, 0, 1, 0),
    }
    for name, pattern in patterns.items():
        if all(count * 2 > whole if expected else not count for count, expected in zip(zeros, pattern, strict=True)):
            return name
    return None


def encode(text: str, encoding: Encoding) -> bytes:
    r"""Return text as bytes; characters outside the encoding become backslash escapes such as `\u2014`."""
    return _encoded(text, encoding, "backslashreplace")


def encoder(encoding: Encoding) -> Callable[[str], bytes]:
    """Return a fast `encode` for one encoding."""
    if not encoding.is_unicode:
        return lambda text: encode(text, encoding)
    return methodcaller("encode", encoding.name, "backslashreplace")


def encode_json(text: str, encoding: Encoding) -> bytes:
    """Return JSON as bytes; characters outside the encoding become JSON escapes, so nothing is lost."""
    return _encoded(text, encoding, _JSON_ESCAPES)


def _encoded(text: str, encoding: Encoding, errors: str) -> bytes:
    name = encoding.name
    encoded = text.encode(name, errors)
    if encoding.is_unicode or encoded.decode(name, "replace") == text:
        return encoded
    # Some codecs substitute similar characters: euc_jp writes a yen sign as the backslash, which would break JSON.
    ours = (letter if _is_kept(letter, name) else _escaped(letter, errors) for letter in text)
    return "".join(ours).encode(name, errors)


def _is_kept(letter: str, name: str) -> bool:
    return letter.encode(name, "replace").decode(name, "replace") == letter


def _escaped(letter: str, errors: str) -> str:
    return letter.encode("ascii", errors).decode("ascii")


def _json_escapes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    escaped = "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    return escaped, error.end


_JSON_ESCAPES = "batchdrop.json_escapes"
codecs.register_error(_JSON_ESCAPES, _json_escapes)
