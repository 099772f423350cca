"""Choose the Claude API for a command: the emulator, or a real service with the user's own key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchdrop.cli.console import USAGE_ERROR, CommandError
from batchdrop.errors import AccountTrouble
from batchdrop.recipe.models import OWN_API
from batchdrop.settings import ANTHROPIC, AWS

REAL_BASE_URL = OWN_API
PROVIDER = "BATCHDROP_PROVIDER"
EMULATED_WAIT_SCALE = 0.02  # the emulator's clock is faster by the same factor


class ServiceUnclearError(CommandError):
    """The environment names a service but no key; the message says what to set."""

    exit_code = USAGE_ERROR


@dataclass(frozen=True, slots=True)
class Service:
    """A Claude API. `base_url` None means the emulator, which bills nobody. `workspace` empty means the key's own.

    `region` is that of Claude Platform on AWS, where the user's AWS credentials sign; empty with a key.
    """

    base_url: str | None = None
    api_key: str | None = None
    workspace: str = ""
    region: str = ""

    def access(self) -> dict[str, Any]:
        """Return the adapters' arguments for a real service. Raises AccountTrouble without AWS credentials."""
        if not self.region:
            return {"api_key": self.api_key or "", "base_url": self.base_url, "workspace": self.workspace}
        from batchdrop.adapters.claude.signing import RequestSigner

        signer = RequestSigner(self.credentials(), region=self.region, workspace=self.workspace)
        return {"signer": signer, "base_url": self.base_url}

    def stack_options(self) -> dict[str, Any]:
        """Return the options of an embedded stack that uses this service. Raises AccountTrouble likewise."""
        if not self.region:
            return {"anthropic_base_url": self.base_url, "anthropic_api_key": self.api_key}
        return {
            "anthropic_base_url": self.base_url,
            "workspace": self.workspace,
            "claude_credentials": self.credentials(),
            "claude_region": self.region,
        }

    def credentials(self) -> Any:
        """Return the user's AWS credentials, of the environment or a profile. Raises AccountTrouble without any."""
        from botocore.session import Session

        found = Session().get_credentials()
        if found is None:
            message = "there are no AWS credentials to sign with. Log in, or set AWS_PROFILE"
            raise AccountTrouble(message)
        return found

    @property
    def place(self) -> str:
        """Return what makes runs of two services different: the address, and on AWS the workspace."""
        return f"{self.base_url or ''}{f'#{self.workspace}' if self.region else ''}"

    @property
    def wait_scale(self) -> float:
        """Return the default factor for the state machine's waits."""
        return 1.0 if self.base_url else EMULATED_WAIT_SCALE

    @property
    def description(self) -> str:
        """Return one line for the user: the API that is used, and whether it costs money."""
        if self.base_url is None:
            return "Claude API: the emulator on this machine (no key, no bill)"
        if self.region:
            return (
                f"Claude Platform on AWS: {self.base_url}, workspace {self.workspace}, with your AWS credentials: "
                "its answers are on your AWS bill"
            )
        return f"Claude API: {self.base_url}, with your key: its answers are billed to you"

    @property
    def counter(self) -> str:
        """Return one line for the user: the API that counts tokens."""
        if self.base_url is None:
            return "the emulator on this machine, which estimates; set ANTHROPIC_API_KEY to use the service itself"
        return f"{self.base_url}, free of charge"


def service_of(environment: Mapping[str, str]) -> Service:
    """Return the service that ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY choose: if either is set, a real one.

    BATCHDROP_PROVIDER=aws chooses Claude Platform on AWS instead. Raises ServiceUnclearError for a base URL without a
    key, or one that does not begin with http; on AWS, without a workspace or a region.
    """
    if _provider(environment) == AWS:
        return _on_aws(environment)
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


def with_provider(environment: Mapping[str, str], provider: str | None) -> Mapping[str, str]:
    """Return the environment with the provider that a command line chooses; None leaves it as it is."""
    return environment if provider is None else {**environment, PROVIDER: provider}


def _provider(environment: Mapping[str, str]) -> str:
    provider = environment.get(PROVIDER, "").strip() or ANTHROPIC
    if provider not in {ANTHROPIC, AWS}:
        message = f"the provider is {provider!r}; it must be {ANTHROPIC} or {AWS}. Set --provider or {PROVIDER}"
        raise ServiceUnclearError(message)
    return provider


def _on_aws(environment: Mapping[str, str]) -> Service:
    """Return Claude Platform on AWS, by the variables of the official SDK."""
    workspace = environment.get("ANTHROPIC_AWS_WORKSPACE_ID", "").strip()
    if not workspace:
        message = "provider aws needs a workspace. Set ANTHROPIC_AWS_WORKSPACE_ID to its id, such as wrkspc_01AbC"
        raise ServiceUnclearError(message)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or _region_of_profile()
    if not region:
        message = "provider aws needs a region. Set AWS_REGION to that of the workspace, such as us-east-1"
        raise ServiceUnclearError(message)
    base_url = environment.get("ANTHROPIC_AWS_BASE_URL", "").strip()
    if base_url and not base_url.startswith(("http://", "https://")):
        raise ServiceUnclearError(f"ANTHROPIC_AWS_BASE_URL is {base_url!r}; it must begin with https:// or http://")
    if not base_url:
        from batchdrop.adapters.claude.signing import base_url_of

        base_url = base_url_of(region)
    return Service(base_url, None, workspace, region)


def _region_of_profile() -> str:
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        return str(Session().get_config_variable("region") or "")
    except BotoCoreError as error:
        raise ServiceUnclearError(f"your AWS profile cannot be read: {error}") from error
