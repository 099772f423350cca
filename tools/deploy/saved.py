"""Read what `make deploy` saved about the stack that it deployed."""

from __future__ import annotations

import tomllib
from pathlib import Path

CONFIG = Path("deploy.toml")
DEFAULT_STACK = "batchdrop"


def stack_name() -> str:
    """Return the name of the deployed stack."""
    return _known().get("stack_name", DEFAULT_STACK)


def region() -> str | None:
    """Return the stack's region; None for the region of the user's AWS configuration."""
    return _known().get("region")


def _known() -> dict[str, str]:
    if not CONFIG.exists():
        return {}
    known: dict[str, str] = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["default"]["global"]["parameters"]
    return known
