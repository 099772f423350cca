"""Check the key, in either style, and the version header."""

import re

from starlette.datastructures import Headers

from batchdrop.local.claude_api.errors import AUTHENTICATION, BILLING, PERMISSION, ApiError, invalid
from batchdrop.local.claude_api.params import KNOWN_VERSIONS
from batchdrop.local.claude_api.settings import Settings

_BETA = re.compile(r"[a-z0-9-]+-\d{4}-\d{2}-\d{2}")
DEFAULT_WORKSPACE = "wrkspc_default"


def check_key(headers: Headers, settings: Settings) -> None:
    """Raise ApiError: 401 without an accepted key, 402 or 403 for the keys that the settings name."""
    key = _key(headers)
    if not key:
        msg = "x-api-key header is required, or Authorization: Bearer"
        raise ApiError(AUTHENTICATION, msg)
    if key in settings.revoked_keys:
        raise ApiError(AUTHENTICATION)
    if key in settings.unpaid_keys:
        raise ApiError(BILLING)
    if key in settings.forbidden_keys:
        raise ApiError(PERMISSION)
    if settings.accepted_keys is not None and key not in settings.accepted_keys:
        raise ApiError(AUTHENTICATION)


def workspace_of(headers: Headers, settings: Settings) -> str:
    """Return the key's workspace; raises ApiError (403) if the header selects another one."""
    own = settings.workspaces.get(_key(headers), DEFAULT_WORKSPACE)
    if headers.get("anthropic-workspace-id", own) != own:
        msg = "The API key has no access to this workspace."
        raise ApiError(PERMISSION, msg)
    return own


def named_workspace(headers: Headers) -> str:
    """Return the workspace that a signed call names; raises ApiError (400) if it names none."""
    named = headers.get("anthropic-workspace-id", "")
    if not named:
        msg = "anthropic-workspace-id: header is required"
        raise invalid(msg)
    return named


def checked_version(headers: Headers) -> str:
    """Return the anthropic-version; raises ApiError (400) if it is missing or unknown."""
    version = headers.get("anthropic-version")
    if not version:
        msg = "anthropic-version: header is required"
        raise invalid(msg)
    if version not in KNOWN_VERSIONS:
        raise invalid(f'anthropic-version: "{version}" is not a valid version.')
    return version


def betas_of(headers: Headers) -> frozenset[str]:
    """Return the betas of `anthropic-beta`; raises ApiError (400) for a name without a date."""
    named = frozenset(filter(None, (name.strip() for name in headers.get("anthropic-beta", "").split(","))))
    for name in sorted(named):
        if not _BETA.fullmatch(name):
            raise invalid(f"Unexpected value(s) `{name}` for the `anthropic-beta` header.")
    return named


def _key(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key", "").strip()
