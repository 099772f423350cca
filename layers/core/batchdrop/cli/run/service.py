"""Which Claude API a command asks: the emulator, or a real service with the user's own key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchdrop.cli.console import USAGE_ERROR, CommandError

REAL_BASE_URL = "https://api.anthropic.com"
EMULATED_WAIT_SCALE = 0.02  # the emulator's clock runs as much faster, so both keep step


class ServiceUnclearError(CommandError):
    """The environment names a service but no key; the message says what to set."""

    exit_code = USAGE_ERROR


@dataclass(frozen=True, slots=True)
class Service:
    """The API to ask. `base_url` None means the emulator, which bills nobody."""

    base_url: str | None = None
    api_key: str | None = None

    @property
    def wait_scale(self) -> float:
        """Return what a second of the state machine takes, unless the user says otherwise."""
        return 1.0 if self.base_url else EMULATED_WAIT_SCALE

    @property
    def description(self) -> str:
        """Return one line that tells the user who is asked, and whether that costs money."""
        if self.base_url is None:
            return "Claude API: the emulator on this machine (no key, no bill)"
        return f"Claude API: {self.base_url}, with your key: what it answers is billed to you"

    @property
    def counter(self) -> str:
        """Return one line that tells the user who counts tokens."""
        if self.base_url is None:
            return "the emulator on this machine, by a rule of its own; with ANTHROPIC_API_KEY set, the service itself"
        return f"{self.base_url}, free of charge"


def service_of(environment: Mapping[str, str]) -> Service:
    """Choose by ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY: either of them set means a real service.

    Raises ServiceUnclearError for a base URL without a key.
    """
    base_url = environment.get("ANTHROPIC_BASE_URL", "").strip()
    api_key = environment.get("ANTHROPIC_API_KEY", "").strip()
    if not base_url and not api_key:
        return Service()
    if not api_key:
        message = "ANTHROPIC_BASE_URL is set, but ANTHROPIC_API_KEY is not. Set both, or neither to use the emulator"
        raise ServiceUnclearError(message)
    return Service(base_url or REAL_BASE_URL, api_key)
