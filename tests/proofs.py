"""Cases that `make check` leaves to `make proofs`: they show at other moments, and with other seeds, what one shows."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest


def in_check(values: Iterable[Any], kept: Container[Any]) -> list[Any]:
    """Return all values as parameters of a test. `make check` runs those in `kept`, `make proofs` the others."""
    return [value if value in kept else _proof(value) for value in values]


def _proof(value: Any) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.proof)
