"""Access to the console: one-time tokens, and the cookies that they are exchanged for."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from threading import Lock

BYTES = 32  # of a token


class Access:
    """Let in those who have the token that the terminal shows. `tell` shows a new address there."""

    def __init__(self, address: str, tell: Callable[[str], None]) -> None:
        self._address = address
        self._tell = tell
        self._token = secrets.token_urlsafe(BYTES)
        self._cookies: list[str] = []
        self._lock = Lock()

    @property
    def entrance(self) -> str:
        """Return the address that lets in one browser, once."""
        return f"{self._address}/enter?token={self._token}"

    def cookie_for(self, token: str) -> str | None:
        """Return a new cookie's value for the token, which is used up then; None if it is not the current one."""
        with self._lock:
            if not self._token or not _same(token, self._token):
                return None
            self._token = ""
            self._cookies.append(secrets.token_urlsafe(BYTES))
            return self._cookies[-1]

    def admits(self, cookie: str | None) -> bool:
        """Return whether a browser has exchanged a token for this cookie."""
        return cookie is not None and any(_same(cookie, one) for one in self._cookies)

    def offer_again(self) -> None:
        """Show a new address in the terminal, if the last one is used up.

        Somebody who cannot read the terminal learns nothing from this, and cannot fill it either.
        """
        with self._lock:
            if self._token:
                return
            self._token = secrets.token_urlsafe(BYTES)
        self._tell(self.entrance)


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
