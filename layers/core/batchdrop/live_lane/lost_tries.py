"""Count the tries of a live request that may be billed without an answer."""

from __future__ import annotations

from dataclasses import dataclass

from batchdrop.answers.result_line import errored_line, uncertain_line
from batchdrop.live_lane.reply import Passing


@dataclass(slots=True)
class LostTries:
    """The tries of one request that may be billed, and its last error. `is_uncertain`: an answer was lost."""

    tries: int = 0
    is_uncertain: bool = False
    kind: str = ""
    message: str = ""

    def add(self, reply: Passing) -> None:
        """Count a try if it may be billed."""
        if reply.is_uncertain or reply.is_server_error:
            self.tries += 1
            self.is_uncertain |= reply.is_uncertain

    def line(self, custom_id: str) -> bytes:
        """Return the request's line. Only if no answer was lost, a later round sends it again."""
        if self.is_uncertain:
            return uncertain_line(custom_id, f"{self.kind}: {self.message}", lost=self.tries)
        return errored_line(custom_id, self.kind, self.message, lost=self.tries)
