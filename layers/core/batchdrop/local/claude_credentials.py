"""Keep the user's AWS credentials in a file for the functions of an embedded stack, which must not see others.

The functions' environment names a dead end on purpose. Only their calls to Claude Platform on AWS are signed with
these. The file is in the stack's own folder, is readable for its owner alone, and goes with the stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KEPT_FOR = timedelta(minutes=30)  # functions read the file again a quarter of an hour before this is over
WRITE_SECONDS = 120.0


class KeptCredentials:
    """Writes credentials of botocore into a file, again and again until `stop`."""

    def __init__(self, credentials: Any, region: str, path: Path) -> None:
        self._credentials = credentials
        self._region = region
        self._path = path
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="claude-credentials", daemon=True)

    def start(self) -> None:
        """Write the file, and keep it fresh from now on. Raises what botocore raises without a valid login."""
        self._write()
        self._thread.start()

    def stop(self) -> None:
        """End, and remove the file."""
        self._stopped.set()
        self._path.unlink(missing_ok=True)

    def _keep(self) -> None:
        while not self._stopped.wait(WRITE_SECONDS):
            # A login that is over leaves the old file. The functions say what is wrong when it has expired.
            with contextlib.suppress(Exception):
                self._write()

    def _write(self) -> None:
        frozen = self._credentials.get_frozen_credentials()
        content = {
            "AccessKeyId": frozen.access_key,
            "SecretAccessKey": frozen.secret_key,
            "SessionToken": frozen.token,
            "Expiration": (datetime.now(UTC) + KEPT_FOR).isoformat(),
            "Region": self._region,
        }
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        new.replace(self._path)
