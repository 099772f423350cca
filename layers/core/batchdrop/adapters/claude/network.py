"""The network as the official SDK uses it: TCP keep-alive, a proxy and a CA file from the environment."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

# NATs drop connections that idle for 60 to 350 s. The SDK probes after 60 s, every 60 s, five times.
KEEP_ALIVE: list[tuple[int, int, int | bool]] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)]
for _name, _value in (("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5), ("TCP_KEEPIDLE", 60)):
    if hasattr(socket, _name):  # macOS has other names for two of them
        KEEP_ALIVE.append((socket.IPPROTO_TCP, getattr(socket, _name), _value))

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]


def proxy_of(url: str) -> str | None:
    """Return the proxy for a URL, from `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`; None for none, or by `NO_PROXY`."""
    parts, proxies = urlsplit(url), getproxies()
    if not parts.hostname or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def trusted() -> ssl.SSLContext:
    """Return a context with the system's CAs, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, which OpenSSL reads."""
    return ssl.create_default_context()


def kept_alive(address: AddressInfo) -> socket.socket:
    """Return a new socket for an address, with keep-alive."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    for level, option, value in KEEP_ALIVE:
        made.setsockopt(level, option, value)
    return made
