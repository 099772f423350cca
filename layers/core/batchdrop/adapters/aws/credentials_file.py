"""Credentials in a file: the user's own, for functions of an embedded stack, whose environment names a dead end.

The stack writes the file, and keeps it fresh as long as its command runs (local/claude_credentials.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials, RefreshableCredentials

from batchdrop.errors import AccountTrouble

METHOD = "batchdrop-file"


def credentials_of(path: str) -> Credentials:
    """Return the credentials of a file. Those with an expiry are read again before it. Raises AccountTrouble."""
    found = _fields(path)
    if not found["expiry_time"]:
        return Credentials(found["access_key"], found["secret_key"], found["token"], method=METHOD)
    return RefreshableCredentials.create_from_metadata(found, lambda: _fields(path), METHOD)


def region_of(path: str) -> str:
    """Return the region of the workspace. Raises AccountTrouble."""
    return str(_read(path)["Region"])


def _fields(path: str) -> dict[str, Any]:
    read = _read(path)
    return {
        "access_key": read["AccessKeyId"],
        "secret_key": read["SecretAccessKey"],
        "token": read.get("SessionToken"),
        "expiry_time": read.get("Expiration"),
    }


def _read(path: str) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        message = f"the AWS credentials of this stack are gone ({error}): its command has ended. Start it again"
        raise AccountTrouble(message) from error
    return read
