"""Write JSON Lines and JSON: each row's own text if the input is JSON, then the new fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from batchdrop.adapters.formats.json.json_input import ARRAY, JsonInput
from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding, encode_json
from batchdrop.adapters.formats.text.text_output import encoding_of, for_json
from batchdrop.answers.columns import ATTEMPTS, CUSTOM_ID, ERROR, MESSAGE_BATCH, RAW, ROW, STATUS, NewColumns
from batchdrop.answers.outcome import Outcome
from batchdrop.job.ports import Frame, InputFormat
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import StoredRow

_texts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LINE_ENDS = str.maketrans("\r\n", "  ")  # only between tokens: strings have them escaped


class JsonlOutput:
    """Writes lines of JSON objects."""

    extension = "jsonl"
    changes_upload = False
    one_line = True

    def __init__(self, reader: InputFormat, new: NewColumns, encoding: Encoding = UTF_8) -> None:
        self._reader = reader
        self._names, self._values_of = new.names, new.values_of()
        self._encoding = for_json(encoding)

    @property
    def whole(self) -> Frame:
        """Return the encoding's byte order mark, if it has one."""
        return Frame(self._encoding.mark)

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[_ObjectsPart]:  # noqa: ARG002 - the port's
        """Open a shard's part."""
        texts = ObjectTexts(self._reader, self._encoding, one_line=self.one_line)
        yield _ObjectsPart(target, texts, self._added, self._separated)

    def _added(self, row: StoredRow, outcome: Outcome) -> dict[str, Any]:  # noqa: ARG002 - failed.jsonl's needs it
        return dict(zip(self._names, self._values_of(outcome), strict=True))

    def _separated(self, row: StoredRow, text: bytes) -> bytes:  # noqa: ARG002 - JSON's needs it
        return text + self._encoding.newline


class JsonOutput(JsonlOutput):
    """Writes objects as the input has them: in one array, within the same object, or one after another.

    The parts contain what stands between the objects, so they can be concatenated.
    """

    extension = "json"
    one_line = False

    def __init__(self, reader: InputFormat, new: NewColumns, encoding: Encoding = UTF_8) -> None:
        super().__init__(reader, new, encoding)
        self._frame = reader.frame if isinstance(reader, JsonInput) else ARRAY

    @property
    def whole(self) -> Frame:
        """Return what stands around the objects."""
        before, _, after = self._frame
        return Frame(self._encoding.mark + encode_json(before, self._encoding), encode_json(after, self._encoding))

    def _separated(self, row: StoredRow, text: bytes) -> bytes:
        return text if row.row == 1 else encode_json(self._frame[1], self._encoding) + text


class FailedOutput(JsonlOutput):
    """Writes `failed.jsonl`: a row's own fields, its number, and the reason. The file can be dropped again."""

    extension = "failed.jsonl"

    def _added(self, row: StoredRow, outcome: Outcome) -> dict[str, Any]:
        return {ROW: row.row, STATUS: outcome.status, ERROR: outcome.error}


class PerhapsPaidOutput(FailedOutput):
    """Writes `perhaps-paid.jsonl`: as `failed.jsonl`, and where the row's result can be found."""

    extension = "perhaps-paid.jsonl"

    def _added(self, row: StoredRow, outcome: Outcome) -> dict[str, Any]:
        sent = outcome.request
        return super()._added(row, outcome) | {
            CUSTOM_ID: sent.custom_id if sent else None,
            MESSAGE_BATCH: sent.message_batch if sent else None,
            ATTEMPTS: sent.attempts if sent else None,
        }


class _ObjectsPart:
    def __init__(
        self,
        target: Writer,
        texts: ObjectTexts,
        added: Callable[[StoredRow, Outcome], dict[str, Any]],
        separated: Callable[[StoredRow, bytes], bytes],
    ) -> None:
        self._write = target.write
        self._texts = texts
        self._added = added
        self._separated = separated

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Write each row's own fields, then the new ones; text without fields goes into `_raw`."""
        texts = [
            self._separated(row, self._texts.text(row, self._added(row, outcome)))
            for row, outcome in zip(rows, outcomes, strict=True)
        ]
        self._write(b"".join(texts))


class ObjectTexts:
    """Formats rows of any input as objects. JSON values keep their exact bytes.

    `one_line`: an element that spans several lines is written on one.
    """

    def __init__(self, reader: InputFormat, encoding: Encoding, *, one_line: bool) -> None:
        self._reader = reader
        self._encoding = encoding
        self._is_json = reader.name in {"jsonl", "json"}
        self._spreads = reader.name == "json" and one_line
        self._keeps_bytes = self._is_json and encoding_of(reader).name == encoding.name

    def text(self, row: StoredRow, added: dict[str, Any]) -> bytes:
        """Return a row as an object, with added fields."""
        own = self._own_text(row.raw, added.keys()) if self._is_json else self._own_cells(row.raw)
        behind = msgspec.json.encode(added)[1:]
        if row.exact is not None and self._keeps_bytes and own is row.raw:
            return row.exact.removesuffix(encode_json("}", self._encoding)) + self._encoded(b"," + behind)
        if isinstance(own, str):
            own = (own.translate(_LINE_ENDS) if self._spreads else own).encode()
        return self._encoded((own[:-1] + b"," if own != b"{}" else b"{") + behind)

    def _encoded(self, text: bytes) -> bytes:
        return text if self._encoding.name == UTF_8.name else encode_json(text.decode(), self._encoding)

    def _own_cells(self, raw: str) -> bytes:
        cells = self._reader.cells(raw)
        return msgspec.json.encode({RAW: raw} if cells is None else cells)

    def _own_text(self, raw: str, replaced: Collection[str]) -> bytes | str:
        """Return an object's own text, without `replaced` fields. The other values keep their exact bytes."""
        try:
            fields = _texts.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return msgspec.json.encode({RAW: raw})
        if fields and fields.keys().isdisjoint(replaced):
            return raw
        kept = {name: value for name, value in fields.items() if name not in replaced}
        return msgspec.json.encode(kept).decode().translate(_LINE_ENDS).encode()
