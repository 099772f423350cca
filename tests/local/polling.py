"""Wait for something to become true, independent of how fast the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, seconds: float = 60.0, what: str = "it") -> T:
    """The first true value of `look`; AssertionError after `seconds`, far more than a slow machine needs."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.05)
    return found
