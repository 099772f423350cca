"""Write the result lines of one worker, and count them."""

from __future__ import annotations

from batchdrop.answers.result_line import errored_line, succeeded_line, unreadable_line
from batchdrop.live_lane.answer_flushes import Flushes
from batchdrop.live_lane.reply import Answer
from batchdrop.live_lane.slice_requests import LiveRequest
from batchdrop.live_lane.tries import Tries


class SliceLines:
    """Gives lines to `flushes`. `finished` counts those of requests that no later round sends again."""

    def __init__(self, flushes: Flushes) -> None:
        self.answered = self.errored = self.finished = 0
        self._flushes = flushes

    def answer(self, request: LiveRequest, answer: Answer, seconds: float, tries: Tries) -> None:
        """Write the line of an answer that took `seconds`, after these tries."""
        self.answered += 1
        self.finished += 1
        named = answer.headers.get("request-id")
        line = succeeded_line(request.custom_id, answer.body, seconds, lost=tries.perhaps_paid, request_id=named)
        self._flushes.add(line)

    def unreadable(self, request: LiveRequest, answer: Answer, tries: Tries) -> None:
        """Write the line of an answer that is not a message. It may be billed, so its request is not sent again."""
        self._end(unreadable_line(request.custom_id, answer.body, lost=tries.perhaps_paid + 1), is_final=True)

    def too_long(self, request: LiveRequest, reason: str) -> None:
        """Write the line of a request that the live lane cannot send. Nothing is billed."""
        self._end(errored_line(request.custom_id, "invalid_request_error", reason), is_final=True)

    def error(self, custom_id: str, tries: Tries, kind: str, message: str, *, is_final: bool = False) -> None:
        """Write the line of a request whose tries have ended without an answer."""
        self._end(tries.line(custom_id, kind, message), is_final=is_final or bool(tries.lost))

    def _end(self, line: bytes, *, is_final: bool) -> None:
        self.errored += 1
        self.finished += is_final
        self._flushes.add(line)
