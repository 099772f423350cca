"""Repeatable chance: the same seed and words always give the same numbers."""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

_T = TypeVar("_T")
_MASK = (1 << 64) - 1


class Dice:
    """A splitmix64 generator seeded with a hash of text, ten times as fast to seed as `random.Random`."""

    def __init__(self, *words: str, salt: int = 0, digest: bytes | None = None) -> None:
        """Seed with `words`, in order; or, faster, with a hash of at least 8 bytes and a number."""
        seed = digest_of(*words) if digest is None else digest
        self._state = (int.from_bytes(seed[:8], "big") + salt * 0xD1342543DE82EF95) & _MASK

    def roll(self) -> int:
        """Return a 64-bit number."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit: int) -> int:
        """Return 0 <= n < limit."""
        return self.roll() % limit

    def fraction(self) -> float:
        """Return 0 <= x < 1."""
        return (self.roll() >> 11) / (1 << 53)

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of `choices`."""
        return choices[self.roll() % len(choices)]

    def gauss(self) -> float:
        """Return a standard normal deviate (Box-Muller)."""
        radius = math.sqrt(-2 * math.log(1 - self.fraction()))
        return radius * math.cos(2 * math.pi * self.fraction())


def token(prefix: str, seed: str | bytes, salt: int = 0) -> str:
    """Return an id in the API's style, e.g. `msg_01AbC...`; the same seed and salt give the same id."""
    held = seed if isinstance(seed, bytes) else seed.encode("utf-8", "replace")
    digest = blake2b(held, digest_size=_TOKEN_LETTERS, salt=(salt & _MASK).to_bytes(16, "big"))
    return f"{prefix}_01{digest.digest().translate(_BASE58).decode()}"


def digest_of(*words: str) -> bytes:
    """Return 16 bytes that depend on the words and their order."""
    return blake2b("\0".join(words).encode("utf-8", "replace"), digest_size=16).digest()


_TOKEN_LETTERS = 22
_BASE58 = bytes(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[byte % 58] for byte in range(256))
