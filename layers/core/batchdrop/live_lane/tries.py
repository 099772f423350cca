"""Count the tries of each request of a slice, over all its workers, and say when they end.

The ledger keeps the counts when a worker hands its slice back. So a request has the same bound with one worker or ten.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from batchdrop.answers.result_line import errored_line, uncertain_line

MOST_FAILURES = 4  # tries without an answer in a round: errors of the API, lost answers, connections that did not open
MOST_LOST = 2  # answers that were lost, and may be paid: each request is sent once more, and never a third time


class Tries(msgspec.Struct, array_like=True, gc=False):
    """The tries of one request in its round. Refusals (429, 529, 502) use up none.

    - `failures` failed, and are not billed as far as the API says.
    - `lost` were sent, and their answers were lost: they may be billed.
    - `errors` are server errors and 502s: not billed, unless a gateway in between is wrong.
    """

    failures: int = 0
    lost: int = 0
    errors: int = 0

    @property
    def perhaps_paid(self) -> int:
        """Return the tries that may be billed."""
        return self.lost + self.errors

    @property
    def have_ended(self) -> bool:
        """Return whether the request must not be sent again in this round."""
        return self.failures + self.lost >= MOST_FAILURES or self.lost >= MOST_LOST

    def __bool__(self) -> bool:
        """Return whether there is anything to remember."""
        return bool(self.failures or self.lost or self.errors)

    def line(self, custom_id: str, kind: str, message: str) -> bytes:
        """Return the line of a request without an answer. Only if no answer was lost, a later round sends it again."""
        if self.lost:
            return uncertain_line(custom_id, f"{kind}: {message}", lost=self.perhaps_paid)
        return errored_line(custom_id, kind, message, lost=self.errors)


class LastError:
    """The last error of a request, as far as this worker knows one."""

    def __init__(self) -> None:
        self.is_known = False
        self.kind, self.message = "api_error", "the answer to an earlier try was lost"

    def note(self, kind: str, message: str) -> None:
        """Note an error."""
        self.is_known, self.kind, self.message = True, kind, message


TriesOfSlice = dict[str, Tries]
"""The tries of a slice's requests by custom_id, without those that have a line."""

_TRIES = msgspec.json.Decoder(TriesOfSlice)


def as_text(tries: TriesOfSlice) -> str:
    """Return tries as the ledger keeps them: without requests that have none."""
    return msgspec.json.encode({name: one for name, one in tries.items() if one}).decode()


def from_text(text: str) -> TriesOfSlice:
    """Return the tries that `as_text` wrote; none for an empty text."""
    return _TRIES.decode(text) if text else {}


def tries_of_round(texts: Iterable[str]) -> TriesOfSlice:
    """Return the tries of all slices of a round, from what each slice left in the ledger."""
    return {name: tries for text in texts for name, tries in from_text(text).items()}
