"""Decide the fate of a request: by magic words in its prompt, or by seeded chance."""

import re
import threading
from typing import Literal

import msgspec

from batchdrop.local.claude_api.answers import Prompt
from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.settings import Settings

STOPS = frozenset({"refusal", "max_tokens", "tool_use", "pause_turn", "model_context_window_exceeded"})
_MAGIC = re.compile(r"\[\[([a-z_]+?)(_once)?(?::(\w+))?\]\]")


class Fate(msgspec.Struct, frozen=True):
    """The end of one request."""

    kind: Literal["succeeded", "errored", "expired", "canceled"] = "succeeded"
    error_type: str = ""
    """The error type of an errored request; it may be unknown to the API."""
    stop: str = ""
    """A stop_reason to force on a succeeded request."""
    twist: str = ""
    """`empty` (no content), `invalid_json`, or `long` of `size` tokens."""
    size: int = 0


ANSWERED = Fate()


class Fates:
    """Decides fates, and remembers which texts were sent before (for `_once`). Thread-safe."""

    def __init__(self) -> None:
        """Start without any earlier texts."""
        self._known: set[bytes] = set()
        self._lock = threading.Lock()

    def decide(self, prompt: Prompt, settings: Settings, *chance: str) -> Fate:
        """Return the fate of the request with this prompt; `chance` seeds the dice."""
        if prompt.says("[["):
            fate = self._by_magic(prompt)
            if fate is not None:
                return fate
        return _by_chance(settings, chance)

    def _by_magic(self, prompt: Prompt) -> Fate | None:
        for word, once, argument in _MAGIC.findall(f"{prompt.system}\n{prompt.conversation}"):
            fate = _fate_of_word(word, argument)
            if fate is not None:
                return None if once and self._seen(prompt.digest) else fate
        return None

    def _seen(self, digest: bytes) -> bool:
        with self._lock:
            seen = digest in self._known
            self._known.add(digest)
        return seen


def _fate_of_word(word: str, argument: str) -> Fate | None:
    match word:
        case "errored":
            return Fate("errored", error_type=argument or "api_error")
        case "expired":
            return Fate("expired")
        case "canceled":
            return Fate("canceled")
        case "empty" | "invalid_json":
            return Fate(twist=word)
        case "long" if argument.isdecimal():
            return Fate(twist="long", size=int(argument))
        case _:
            return Fate(stop=word) if word in STOPS else None


def _by_chance(settings: Settings, chance: tuple[str, ...]) -> Fate:
    if not (settings.errored_rate or settings.expired_rate or settings.refusal_rate or settings.max_tokens_rate):
        return ANSWERED
    dice = Dice("fate", str(settings.seed), *chance)
    thrown = dice.fraction()
    for rate, fate in (
        (settings.errored_rate, Fate("errored", error_type=dice.pick(settings.errored_types))),
        (settings.expired_rate, Fate("expired")),
        (settings.refusal_rate, Fate(stop="refusal")),
        (settings.max_tokens_rate, Fate(stop="max_tokens")),
    ):
        if thrown < rate:
            return fate
        thrown -= rate
    return ANSWERED
