"""The encodings that files are in: found by their mark or by name, cut into lines, written back."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from operator import methodcaller

from batchdrop.errors import RecipeRejected, UploadRejected

BOM = "\ufeff"
_START = 4096  # bytes that a file's encoding is looked for in

# A byte order mark decides, whatever the recipe says. UTF-32's begins like UTF-16's, so it comes first.
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
# Their lines cannot be read alone, or they are not what a file is in.
_REFUSED = ("hz", "idna", "iso2022_kr", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")
_SUGGESTED = ("utf-8", "utf-8-sig", "utf-16", "cp932", "shift_jis", "euc_jp", "cp1252", "latin-1", "gb18030", "koi8-r")


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding with its byte order. `marked`: the file begins, or shall begin, with a byte order mark."""

    name: str
    newline: bytes
    marked: bool = False

    @property
    def unit(self) -> int:
        """Return the bytes that every character is a multiple of."""
        return _UNITS.get(self.name, 1)

    @property
    def is_unicode(self) -> bool:
        """Tell whether it has all characters, and one way only to write each."""
        return self.name in _UNICODE

    @property
    def is_stateful(self) -> bool:
        """Tell whether escape sequences change what the bytes after them mean."""
        return self.name.startswith(_STATEFUL)

    @property
    def mark(self) -> bytes:
        """Return what an output begins with."""
        return BOM.encode(self.name) if self.marked else b""


UTF_8 = Encoding("utf-8", b"\n")


def encoding_named(name: str, *, key: str = "input.encoding") -> Encoding:
    """Return an encoding by any of its names; `utf-16` and `utf-32` are little-endian unless the file says otherwise.

    Raises RecipeRejected, naming `key`, for one that there is not.
    """
    try:
        found = codecs.lookup(name).name
        newline = "\n".encode(found)
    except (LookupError, ValueError, UnicodeError) as error:
        near = difflib.get_close_matches(name.lower(), _SUGGESTED, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(_SUGGESTED)} and others"
        message = f"key '{key}': there is no encoding '{name}'; {hint}"
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
    """Return the encoding of a file that begins with these blocks, and the blocks again, all of them.

    `named` is what the recipe says, if it says anything. Raises RecipeRejected as `encoding_named` does, and
    UploadRejected for UTF-16 without a mark that nobody has named.
    """
    left = iter(blocks)
    start = b""
    for block in left:
        start += block
        if len(start) >= _START:
            break
    return detected(start, named, filename=filename), chain((start,), left)


def detected(start: bytes, named: str | None, *, filename: str) -> Encoding:
    """Return the encoding of a file by its first bytes. Raises as `look` does."""
    chosen = encoding_named(named) if named else UTF_8
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, "\n".encode(name), marked=True)
    zeros = by_zeros(start[:_START])
    if named is None and zeros is not None:
        message = (
            f"{filename}: the file looks like {zeros}, and has no byte order mark that says so. "
            f"Set `input: {{encoding: {zeros}}}` in the recipe, or save the file as UTF-8 and drop it again"
        )
        raise UploadRejected(message)
    if named and codecs.lookup(named).name in {"utf-16", "utf-32"}:
        return _in_order(chosen.name, start)
    return replace(chosen, marked=False)


def _in_order(name: str, start: bytes) -> Encoding:
    """Return UTF-16 or UTF-32 in the byte order that the zeros of line ends and digits tell."""
    half = len(start) // 2 * 2
    is_big = start[:half:2].count(0) > start[1:half:2].count(0)
    ordered = f"{name[:6]}-{'be' if is_big else 'le'}"
    return Encoding(ordered, "\n".encode(ordered))


def by_zeros(start: bytes) -> str | None:
    """Return which UTF-16 or UTF-32 the bytes are in, by where their zeros stand; None if they are in neither."""
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
    r"""Return text as bytes; characters that the encoding lacks become backslash escapes such as `\u2014`."""
    return _encoded(text, encoding, "backslashreplace")


def encoder(encoding: Encoding) -> Callable[[str], bytes]:
    """Return `encode` for one encoding, at its fastest."""
    if not encoding.is_unicode:
        return lambda text: encode(text, encoding)
    return methodcaller("encode", encoding.name, "backslashreplace")


def encode_json(text: str, encoding: Encoding) -> bytes:
    """Return JSON as bytes; characters that the encoding lacks become JSON's own escapes, so that nothing is lost."""
    return _encoded(text, encoding, _JSON_ESCAPES)


def _encoded(text: str, encoding: Encoding, errors: str) -> bytes:
    name = encoding.name
    encoded = text.encode(name, errors)
    if encoding.is_unicode or encoded.decode(name, "replace") == text:
        return encoded
    # Some codecs write a likeness: euc_jp a yen sign as the backslash, which would break JSON.
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
