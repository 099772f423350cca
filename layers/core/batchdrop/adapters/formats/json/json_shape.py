"""Find where a JSON file's rows are: in one array, in an array within an object, or one value after another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, NoReturn

import msgspec

from batchdrop.errors import UploadRejected

REQUEST_KEYS = {"custom_id", "params"}
MAX_FRAME_BYTES = 1_000_000  # ours: what stands around the array of rows; the manifest keeps it
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_PAIRS = {b"{": b"}", b"[": b"]"}
_SHOWN = 5
_ARRAYS = re.compile(rb"\s*\[\s*\[")
# What `DataFrame.to_json` writes, unless it is told otherwise: orient columns (its default), index, split and table.
_BY_PANDAS = (
    (re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{\s*"0"\s*:'), "it is one object, with the values of each column"),
    (re.compile(rb'\s*\{\s*"0"\s*:\s*\{'), "it is one object, with the rows by their numbers"),
    (re.compile(rb'\s*\{\s*"columns"\s*:\s*\['), "it is one object, with names and values apart"),
)


class JsonShape(msgspec.Struct, frozen=True, omit_defaults=True):
    """`kind`: one array; an object that holds the array at `path`; or one value after another.

    `is_found`: the path is not the recipe's, so there must be no other array of objects.
    """

    kind: Literal["array", "wrapped", "values"] = "array"
    path: tuple[str, ...] = ()
    is_found: bool = False


class FoundArray(NamedTuple):
    """An array within objects: the keys that lead to it, the place after its bracket, and whether it holds objects."""

    path: tuple[str, ...]
    at: int
    has_objects: bool


class Scan(NamedTuple):
    """Facts about the first value's text. `names` are its own keys; `end` is None if the text ends before the value."""

    arrays: list[FoundArray]
    end: int | None
    names: set[str]


def shape_of(start: bytes, *, is_whole: bool, path: str | None, filename: str) -> JsonShape:
    """Return the shape of a file that starts with these bytes, in UTF-8. `path` is the recipe's.

    Raises UploadRejected if several arrays could be meant, and for a table that is not written row by row.
    """
    if path:
        return JsonShape("wrapped", tuple(path.split(".")))
    if _ARRAYS.match(start):
        _refuse_layout("its elements are arrays, without the columns' names", filename)
    if not start.lstrip().startswith(b"{"):
        return JsonShape()
    found = scan(start)
    if found.names >= REQUEST_KEYS:  # a request for the API is a row, whatever arrays its params have
        return JsonShape("values")
    if found.end is not None and (not is_whole or start[found.end :].strip()):
        return JsonShape("values")
    for layout, what in _BY_PANDAS:
        if layout.match(start):
            _refuse_layout(what, filename)
    arrays = [array.path for array in found.arrays if array.has_objects]
    if len(arrays) > 1:
        refuse_several(arrays, filename)
    return JsonShape("wrapped", arrays[0], is_found=True) if arrays else JsonShape("values")


def _refuse_layout(what: str, filename: str) -> NoReturn:
    message = (
        f"{filename}: {what}. Write one object for each row, "
        "such as with `df.to_json(path, orient='records', lines=True)` in pandas, and drop it again"
    )
    raise UploadRejected(message)


def holds_requests(start: bytes) -> bool:
    """Return whether the text starts with an object whose only array of objects holds requests, as the SDK takes them.

    A request has custom_id and params.
    """
    arrays = [array for array in scan(start).arrays if array.has_objects]
    return len(arrays) == 1 and scan(start[arrays[0].at :]).names >= REQUEST_KEYS


def refuse_several(paths: Sequence[tuple[str, ...]], filename: str) -> NoReturn:
    """Raise UploadRejected, naming the arrays."""
    names = [".".join(path) for path in paths]
    shown = ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
    message = (
        f"{filename}: the object holds {len(names)} arrays of objects ({shown}). "
        f"Say which are the rows: set `input: {{path: {names[0]}}}` in the recipe"
    )
    raise UploadRejected(message)


def array_at(data: bytes, path: tuple[str, ...]) -> int | None:
    """Return the place after the bracket of the array at `path`; None if it is not in the text."""
    return next((array.at for array in scan(data).arrays if array.path == path), None)


def scan(data: bytes) -> Scan:
    """Find the arrays in the first value that are not within other arrays, and the value's end."""
    return _Scanner(data).scan()


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._arrays: list[FoundArray] = []
        self._brackets: list[bytes] = []
        self._keys: list[str] = []  # the key that is being read in each open object outside arrays
        self._string = b""
        self._in_arrays = 0
        self._names: set[str] = set()

    def scan(self) -> Scan:
        for match in _TOKEN.finditer(self._data):
            token = match.group()
            if token in b"{[":
                self._open(token, match.end())
            elif token in b"}]":
                if not self._brackets or _PAIRS[self._brackets[-1]] != token:
                    break
                self._close()
                if not self._brackets:
                    return Scan(self._arrays, match.end(), self._names)
            elif token == b":" and not self._in_arrays and self._keys:
                self._keys[-1] = _text(self._string)
                if len(self._brackets) == 1:
                    self._names.add(self._keys[-1])
            else:
                self._string = token
        return Scan(self._arrays, None, self._names)

    def _open(self, bracket: bytes, at: int) -> None:
        self._brackets.append(bracket)
        if bracket == b"[":
            if not self._in_arrays and self._keys:
                self._arrays.append(_array(self._data, at, self._keys))
            self._in_arrays += 1
        elif not self._in_arrays:
            self._keys.append("")

    def _close(self) -> None:
        if self._brackets.pop() == b"[":
            self._in_arrays -= 1
        elif not self._in_arrays:
            self._keys.pop()


def _array(data: bytes, at: int, keys: list[str]) -> FoundArray:
    first = _SPACE.match(data, at).end()  # type: ignore[union-attr] # it matches everywhere
    return FoundArray(tuple(keys), at, data[first : first + 1] == b"{")


def _text(token: bytes) -> str:
    try:
        return str(msgspec.json.decode(token))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return token.decode(errors="replace")
