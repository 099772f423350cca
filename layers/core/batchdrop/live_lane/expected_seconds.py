"""Estimate how long an answer takes, so that a request is opened only if its answer can arrive in time."""

from __future__ import annotations

from batchdrop.limits import LONGEST_LIVE_ANSWER
from batchdrop.recipe.lane import seconds_by_rule

STREAMED_AFTER = 60.0  # longer answers are streamed: gateways and NATs drop connections that idle for 60 to 350 s
LEAST_EXPECTED = 100.0  # until a job's answers are known: short ones wait in the API's own queue, too
LEAST_LEARNED = 30.0  # however fast they are: single answers are slow
ENOUGH = 20  # answers, before they say more than the rule
MARGIN = 1.5  # the next answer may take longer than the longest so far


class ExpectedSeconds:
    """The expected seconds of a slice's answers: the SDK's rule, until the answers say better."""

    def __init__(self) -> None:
        self._answers = 0
        self._longest = 0.0
        self._tokens = 0

    def learn(self, max_tokens: int, seconds: float, *, is_whole: bool = True) -> None:
        """Learn from an answer that took `seconds`. One that is not whole would have taken longer."""
        self._longest = max(self._longest, seconds)
        if is_whole:
            self._answers += 1
            self._tokens = max(self._tokens, max_tokens)

    def of(self, max_tokens: int, *, open_for: float = 0.0) -> float:
        """Return the seconds to keep for an answer. `open_for` is the age of the oldest open request."""
        seen = MARGIN * max(self._longest, open_for)
        knows = self._answers >= ENOUGH and max_tokens <= self._tokens
        least = LEAST_LEARNED if knows else max(LEAST_EXPECTED, seconds_by_rule(max_tokens))
        return min(max(seen, least), LONGEST_LIVE_ANSWER)


def is_streamed(max_tokens: int) -> bool:
    """Return whether an answer is streamed, because its connection could idle for too long."""
    return seconds_by_rule(max_tokens) > STREAMED_AFTER
