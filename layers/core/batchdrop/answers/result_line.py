"""Read and write result lines, `{custom_id, result}`. No other module knows their format.

The results of Message Batches have these lines. The live lane writes the same format, so the join reads both alike.
Each reader decodes only what it needs, because a job reads every line several times: `ResultHead` costs 1.7 us,
`ResultLine` 2.1 us and more with long texts.
"""

from __future__ import annotations

from codecs import BOM_UTF8

import msgspec

from batchdrop.answers.result import Result, Usage
from batchdrop.answers.verdict import Verdict, verdict_of

UNREADABLE = "unreadable"  # the tag of result.Unreadable


class Remembered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The job that paid for a remembered answer: when its file was uploaded (Unix seconds), and its recipe's digest.

    `key` (in hexadecimal) and `subject` are the stored answer's: by them it can be forgotten.
    """

    at: int
    recipe: str = ""
    key: str = ""
    subject: str = ""


class ResultLine(msgspec.Struct, frozen=True, gc=False):
    """The whole line. `seconds` is how long the answer took; only lines of the live lane have it, and `lost`.

    `packed` is how many rows shared the request, in the line that `pack_lines` made for one of them. `remembered` is
    set in a line from the answer store: the job did not send the row, and does not pay for its answer.
    """

    custom_id: str
    result: Result
    seconds: float | None = None
    lost: int = 0
    packed: int = 0
    remembered: Remembered | None = None


class _Type(msgspec.Struct, frozen=True, gc=False):
    type: str = ""


class AgainId(msgspec.Struct, frozen=True, gc=False):
    """A line of results that were read again: the round that sent its request, and its custom_id."""

    round: int
    custom_id: str


class PaidHead(msgspec.Struct, frozen=True, gc=False):
    """A message whose content is not decoded: its stop_reason and the fields that decide its cost."""

    model: str = ""
    stop_reason: str | None = None
    usage: Usage = Usage()
    content: msgspec.Raw = msgspec.Raw()


class _Details(msgspec.Struct, frozen=True, gc=False):
    error_code: str | None = None


class _ErrorType(msgspec.Struct, frozen=True, gc=False):
    type: str
    message: str = ""
    details: _Details | None = None


class _Error(msgspec.Struct, frozen=True, gc=False):
    error: _ErrorType


class _FlushedResult(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    error: _Error | None = None


class FlushedHead(msgspec.Struct, frozen=True, gc=False):
    """A line of the live lane without its message, which may be unusual: its custom_id, its fate, its seconds."""

    custom_id: str
    result: _FlushedResult = _FlushedResult()
    seconds: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Return the verdict as far as the lane needs it. An answer counts as whole."""
        error = self.result.error.error if self.result.error else _ErrorType("")
        return verdict_of(self.result.type, stop_reason=None, error_type=error.type, message=error.message)


class _Result(msgspec.Struct, frozen=True, gc=False):
    type: str
    message: PaidHead | None = None
    error: _Error | None = None


class ResultHead(msgspec.Struct, frozen=True, gc=False):
    """The line without its texts: its custom_id, and the fields that decide its verdict and cost.

    `lost` counts the tries of the request that may be billed without an answer. Only lines of the live lane have it.
    `packed` and `missed` are as in `pack_lines`.
    """

    custom_id: str
    result: _Result
    lost: int = 0
    packed: int = 0
    missed: str = ""

    @property
    def is_live(self) -> bool:
        """Return whether it is an answer of the live lane, where each answer is billed."""
        return self.result.message is not None and self.result.message.usage.service_tier not in {None, "batch"}

    @property
    def is_paid_unread(self) -> bool:
        """Return whether it is an answer, which is paid, without a content that can be read."""
        result = self.result
        return result.type == "succeeded" and (result.message is None or not result.message.content)

    @property
    def verdict(self) -> Verdict:
        """Return the verdict for the line's row."""
        result = self.result
        if self.missed:  # the row is sent alone
            return Verdict.MISSED if result.message is not None else Verdict.LEFTOVER
        if self.is_paid_unread:
            return Verdict.PERHAPS_PAID
        if result.error is None:
            stop_reason = result.message.stop_reason if result.message else None
            return verdict_of(result.type, stop_reason=stop_reason, error_type="")
        error = result.error.error
        code = error.details.error_code if error.details else None
        return verdict_of(result.type, stop_reason=None, error_type=error.type, message=error.message, code=code)


class _MessageShape(msgspec.Struct):
    """The fields that `result.Message` needs, without the texts: a paid message may have texts that do not decode."""

    model: str
    content: list[_Type]
    stop_reason: str | None
    usage: Usage


_MESSAGE = msgspec.json.Decoder(_MessageShape)


def usage_of(body: bytes) -> Usage | None:
    """Return the usage in a Messages response; None if the body is not a message (cut short, or of another shape)."""
    try:
        return _MESSAGE.decode(body).usage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def succeeded_line(
    custom_id: str, message: bytes, seconds: float, *, lost: int = 0, request_id: str | None = None
) -> bytes:
    """Return the line of an answer that took `seconds`, with its newline. The message stays as it is, on one line.

    `lost` counts the earlier tries that may be billed. `request_id` is the response's header.
    """
    message = message.removeprefix(BOM_UTF8)  # it is allowed only at the start of a file
    if b"\n" in message or b"\r" in message:  # only between JSON tokens: line ends in strings are escaped
        message = message.replace(b"\n", b" ").replace(b"\r", b" ")
    named = b'"request_id":%b,' % msgspec.json.encode(request_id) if request_id else b""
    values = custom_id.encode(), _lost(lost), named, seconds, message
    return b'{"custom_id":"%b",%b%b"seconds":%.3f,"result":{"type":"succeeded","message":%b}}\n' % values


def remembered_line(custom_id: str, message: bytes, source: Remembered) -> bytes:
    """Return the line of an answer from the answer store, with its newline."""
    values = custom_id.encode(), msgspec.json.encode(source), message
    return b'{"custom_id":"%b","remembered":%b,"result":{"type":"succeeded","message":%b}}\n' % values


def errored_line(custom_id: str, kind: str, message: str, *, lost: int = 0) -> bytes:
    """Return the line of a request without an answer, with its newline. The error is nested twice, as the API does.

    `lost` counts the tries that may be billed.
    """
    error = msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    return b'{"custom_id":"%b",%b"result":{"type":"errored","error":%b}}\n' % (custom_id.encode(), _lost(lost), error)


def unreadable_line(custom_id: str, body: bytes = b"", *, lost: int = 0) -> bytes:
    """Return the line of a request whose record cannot be read, with its newline. It keeps the record, as far as text.

    `lost` counts all tries of the request that may be billed; 0 in a Message Batch, whose records are kept elsewhere.
    """
    text = {"body": body.decode(errors="backslashreplace")} if body else {}
    result = msgspec.json.encode({"type": UNREADABLE, **text})
    return b'{"custom_id":"%b",%b"result":%b}\n' % (custom_id.encode(), _lost(lost), result)


def uncertain_line(custom_id: str, reason: str, *, lost: int = 0) -> bytes:
    """Return the line of a request that was sent and has no result, with its newline.

    `lost` counts all tries of the request that may be billed; 0 in a Message Batch, which bills at most one.
    """
    result = msgspec.json.encode({"type": "uncertain", "reason": reason})
    return b'{"custom_id":"%b",%b"result":%b}\n' % (custom_id.encode(), _lost(lost), result)


def _lost(tries: int) -> bytes:
    return b'"lost":%d,' % tries if tries else b""


def line_read_again(round_number: int, line: bytes) -> bytes:
    """Return a result line with its round as the first member, and its newline."""
    return b'{"round":%d,%b\n' % (round_number, line.strip()[1:])


def canceled_line(custom_id: str) -> bytes:
    """Return the line of a request whose job was canceled before it was sent, with its newline."""
    return b'{"custom_id":"%b","result":{"type":"canceled"}}\n' % custom_id.encode()
