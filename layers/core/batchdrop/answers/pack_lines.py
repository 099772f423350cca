"""Turn the result line of a pack into the lines of its rows, as the join reads them.

Each row's line has its own custom_id, its own object as the text, and its share of the usage. `packed` marks it, so
that it passes the filter unchanged when it comes again. `missed` says why its row is sent alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import ODD, records_of
from batchdrop.answers.pack_answer import CUT, RowAnswer, row_answers
from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.result import Message, Succeeded
from batchdrop.answers.result_line import ResultHead, ResultLine
from batchdrop.answers.shape import AnswerShape
from batchdrop.answers.usage_shares import usage_shares
from batchdrop.answers.verdict import Verdict

REFUSED = "refused"  # the API refused the pack as a request; a single row of it may be the cause
LEAST_WRITTEN = 8  # bytes; what a row's object takes beside its text, so that a missing one pays for something, too
_encode = msgspec.json.encode


class PackLines:
    """The filter of one round. `own` is the prefix of the shard's custom_ids, `shared` the bytes of a pack's frame.

    `more_found` and `more_paid` count the lines that the rows have beyond those of the API, so that the API's counts
    can be compared. `missed` has how many rows of each answered pack are sent alone, by the pack's lowest row;
    `reasons` counts them by reason.
    """

    def __init__(self, members: PackMembers, own: str, shape: AnswerShape, *, shared: int) -> None:
        self._members = members
        self._own = own
        self._shape = shape
        self._shared = shared
        self._seen: set[int] = set()
        self._line = msgspec.json.Decoder(ResultLine)
        self._head = msgspec.json.Decoder(ResultHead)
        self.more_found = self.more_paid = 0
        self.missed: dict[int, int] = {}
        self.reasons: Counter[str] = Counter()

    def expanded(self, lines: Iterable[bytes]) -> bytes:
        """Return the lines, those of packs as the lines of their rows. Each has its newline."""
        return b"".join([piece for line in lines for piece in self._of_line(line)])

    def _of_line(self, line: bytes) -> list[bytes]:
        try:
            return self._of_strict(line)
        except ODD:
            records = [record for record in records_of(line) if record is not None and record.head.custom_id]
            if not any(self._rows(record.head.custom_id) for record in records):
                return [line, b"\n"]
            return [piece for record in records for piece in self._of_strict(record.line)]

    def _of_strict(self, line: bytes) -> list[bytes]:
        found = self._line.decode(line)
        rows = self._rows(found.custom_id)
        if not rows or found.packed:
            return [line, b"\n"]
        is_new = rows[0] not in self._seen
        self._seen.add(rows[0])
        self.more_found += is_new * (len(rows) - 1)
        if not isinstance(found.result, Succeeded):
            return self._copies(line, rows)
        self.more_paid += is_new * (len(rows) - 1)
        return self._answers(found, found.result.message, rows, is_new=is_new)

    def _rows(self, name: str) -> list[int]:
        [index] = custom_id.indexes_after(self._own, (name,))
        return [] if index is None else self._members.pack_of(index)

    def _answers(self, line: ResultLine, message: Message, rows: list[int], *, is_new: bool) -> list[bytes]:
        stop = message.stop_reason or "end_turn"
        answers = row_answers(self._shape.text_of(message), stop, len(rows), self._shape)
        if is_new:
            self._count(rows[0], answers)
        each = self._shared // len(rows)
        usages = usage_shares(
            message.usage,
            [each + self._members.size(row) for row in rows],
            [LEAST_WRITTEN + len(answer.text) for answer in answers],
        )
        head = b"" if line.seconds is None else b'"seconds":%.3f,' % line.seconds
        first = b'"lost":%d,' % line.lost if line.lost else b""
        model, whole = _encode(message.model).replace(b"%", b"%%"), _encode(_stop_of("", stop))
        own = _FORM % (self._own.encode(), len(rows), model)
        pieces = []
        for row, (text, missed), usage in zip(rows, answers, usages, strict=True):
            mark, reason = head + first, whole
            if missed:
                mark, reason = b'%b"missed":%b,' % (mark, _encode(missed)), _encode(_stop_of(missed, stop))
            # The text is JSON, so it has no control characters: this is all that a JSON string escapes in it.
            escaped = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            pieces.append(own % (row, mark, escaped, reason, usage))
            first = b""
        return pieces

    def _count(self, first: int, answers: list[RowAnswer]) -> None:
        reasons = [answer.missed for answer in answers if answer.missed]
        self.missed[first] = len(reasons)
        self.reasons.update(reasons)

    def _copies(self, line: bytes, rows: list[int]) -> list[bytes]:
        """Return a copy of an unpaid line for each row. Tries that may be billed stay with the first."""
        head = self._head.decode(line)
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        fields["packed"] = msgspec.Raw(b"%d" % len(rows))
        if head.verdict == Verdict.NEVER:
            fields["missed"] = msgspec.Raw(_encode(REFUSED))
        pieces = []
        for row in rows:
            fields["custom_id"] = msgspec.Raw(_encode(custom_id.after(self._own, row)))
            pieces += [_encode(fields), b"\n"]
            fields.pop("lost", None)
        return pieces


# A form twice: it is filled with what all rows of a pack share, then with the row's own.
_FORM = (
    b'{"custom_id":"%b%%06d","packed":%d,%%b"result":{"type":"succeeded","message":{"model":%b,"content":'
    b'[{"type":"text","text":"%%b"}],"stop_reason":%%b,"usage":%%b}}}\n'
)


def _stop_of(missed: str, stop: str) -> str:
    """Return the stop_reason of a row: that of the pack, unless the row's own object is complete."""
    return "end_turn" if stop == CUT and missed in {"", "invalid", "missing"} else stop
