"""Who calls the Claude API in a test: a key on Anthropic's own API, or a role on Claude Platform on AWS."""

from __future__ import annotations

from typing import Any, Literal

from botocore.credentials import Credentials

from batchdrop.adapters.claude.signing import RequestSigner
from batchdrop.local.claude_api.testing import Emulator

Caller = Literal["key", "role"]
CALLERS: tuple[Caller, ...] = ("key", "role")
ACCESS_KEY, SECRET, TOKEN = "ASIATEST", "s3cret-0123456789", "token-of-a-session-0123456789"
CREDENTIALS = f"{ACCESS_KEY}:{SECRET}:{TOKEN}"
"""The same, as the emulator's setting has them."""
WORKSPACE = "wrkspc_01test"


def on_aws(emulator: Emulator) -> None:
    """Make the emulator Claude Platform on AWS, with this module's caller."""
    emulator.settings(provider="aws", aws_credentials=[CREDENTIALS])


def signer() -> RequestSigner:
    """Return the signer of this module's caller."""
    return RequestSigner(Credentials(ACCESS_KEY, SECRET, TOKEN), region="us-east-1", workspace=WORKSPACE)


def access(caller: Caller, emulator: Emulator, *, key: str = "sk-test") -> dict[str, Any]:
    """Return the adapters' arguments for a caller, and make the emulator its provider."""
    if caller == "key":
        return {"api_key": key, "base_url": emulator.base_url}
    on_aws(emulator)
    return {"signer": signer(), "base_url": emulator.base_url}
