"""The API key on its way into the stack's secret: typed unseen, tried with a free call, never on a command line."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from typing import Any

from batchdrop.bootstrap import PLACEHOLDER_KEY
from batchdrop.cli.doctor.findings import Finding, Level
from batchdrop.cli.doctor.service import answer_to
from batchdrop.cli.run.service import REAL_BASE_URL
from tools.deploy.checks import CannotDeployError

FROM_ENVIRONMENT = "ANTHROPIC_API_KEY"
Try = Callable[[str, str, str], Finding]


def typed_key(base_url: str, *, ask: Callable[[str], str] = getpass.getpass, tries: Try = answer_to) -> str:
    """Return the key that the user types, or the environment's; empty for none yet.

    Raises CannotDeployError if the API at `base_url` refuses it.
    """
    known = os.environ.get(FROM_ENVIRONMENT, "")
    default = f"return takes {FROM_ENVIRONMENT}" if known else "return if you have none yet"
    try:
        key = ask(f"Anthropic API key (not shown; {default}): ").strip() or known
    except EOFError:
        key = known
    if not key:
        return ""
    seen = tries(base_url or REAL_BASE_URL, key, "create one in the Claude Console")
    if seen.level is Level.PROBLEM:
        message = f"{seen.says}. {seen.fix[:1].upper()}{seen.fix[1:]}, then deploy again"
        raise CannotDeployError(message)
    return key


def has_key(session: Any, secret: str | None) -> bool:
    """Return whether the stack's secret holds a key; None for a stack without one."""
    if secret is None:
        return False
    value = session.client("secretsmanager").get_secret_value(SecretId=secret).get("SecretString", "")
    return value.strip() not in {"", PLACEHOLDER_KEY}


def store_key(session: Any, secret: str, key: str) -> None:
    """Put the key into the stack's secret."""
    session.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=key)
