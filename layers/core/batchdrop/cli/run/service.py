"""Choose the Claude API for a command: the emulator, or a real service with the user's own key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchdrop.cli.console import USAGE_ERROR, CommandError
from batchdrop.recipe.models import OWN_API

REAL_BASE_URL = OWN_API
EMULATED_WAIT_SCALE = 0.02  # the emulator's clock is faster by the same factor


class ServiceUnclearError(CommandError):
    """The environment names a service but no key; the message says what to set."""

    exit_code = USAGE_ERROR


@dataclass(frozen=True, slots=True)
class Service:
    """A Claude API. `base_url` None means the emulator, which bills nobody. `workspace` empty means the key's own."""

    base_url: str | None = None
    api_key: str | None = None
    workspace: str = ""

    @property
    def wait_scale(self) -> float:
        """Return the default factor for the state machine's waits."""
        return 1.0 if self.base_url else EMULATED_WAIT_SCALE

    @property
    def description(self) -> str:
        """Return one line for the user: the API that is used, and whether it costs money."""
        if self.base_url is None:
            return "Claude API: the emulator on this machine (no key, no bill)"
        return f"Claude API: {self.base_url}, with your key: its answers are billed to you"

    @property
    def counter(self) -> str:
        """Return one line for the user: the API that counts tokens."""
        if self.base_url is None:
            return "the emulator on this machine, which estimates; set ANTHROPIC_API_KEY to use the service itself"
        return f"{self.base_url}, free of charge"


def service_of(environment: Mapping[str, str]) -> Service:
    """Return the service that ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY choose: if either is set, a real one.

    Raises ServiceUnclearError for a base URL without a key, or one that does not begin with http.
    """
    base_url = environment.get("ANTHROPIC_BASE_URL", "").strip()
    api_key = environment.get("ANTHROPIC_API_KEY", "").strip()
    if not base_url and not api_key:
        return Service()
    if base_url and not base_url.startswith(("http://", "https://")):
        raise ServiceUnclearError(f"ANTHROPIC_BASE_URL is {base_url!r}; it must begin with https:// or http://")
    if not api_key:
        message = "ANTHROPIC_BASE_URL is set, but ANTHROPIC_API_KEY is not. Set both, or neither to use the emulator"
        raise ServiceUnclearError(message)
    return Service(base_url or REAL_BASE_URL, api_key, environment.get("ANTHROPIC_WORKSPACE_ID", "").strip())
