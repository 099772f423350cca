"""Check the API key with one free call to the Claude API, made from this machine."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from batchdrop.bootstrap import PLACEHOLDER_KEY
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.doctor.findings import Finding, ok, problem, unknown, warning
from batchdrop.cli.doctor.stack import parameters
from batchdrop.cli.run.service import REAL_BASE_URL

ANTHROPIC_VERSION = "2026-10-21"
FREE_CALL = "/v1/messages/batches?limit=1"  # a free listing that needs the same permission as jobs
SECONDS = 15.0


def api_key(deployment: Deployment) -> Iterator[Finding]:
    """Check that the stack's secret has a key, and that the API accepts it."""
    secret = deployment.outputs["ApiKeySecretArn"]
    key = deployment.client("secretsmanager").get_secret_value(SecretId=secret).get("SecretString", "").strip()
    fix = f"aws secretsmanager put-secret-value --secret-id {secret} --secret-string <your key>"
    if key in {"", PLACEHOLDER_KEY}:
        yield problem("API key", "the secret has no key yet", fix)
        return
    yield ok("API key", f"there ({len(key)} characters)")
    yield answer_to(parameters(deployment).get("AnthropicBaseUrl") or REAL_BASE_URL, key, fix)


def answer_to(base_url: str, key: str, fix: str) -> Finding:
    """Try a key with a free call to the API at `base_url`. It goes only to that host: redirects are not followed."""
    try:
        status, message = _call(base_url, key)
    except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
        says = f"{base_url} cannot be reached from this machine: {error}"
        return warning("Claude API", says, "check AnthropicBaseUrl and your network; the stack may still reach it")
    match status:
        case HTTPStatus.OK:
            return ok("Claude API", f"{base_url} accepts the key (one free call)")
        case HTTPStatus.UNAUTHORIZED:
            return problem("Claude API", f"{base_url} refuses the key: {message}", fix)
        case HTTPStatus.PAYMENT_REQUIRED | HTTPStatus.FORBIDDEN:
            return problem("Claude API", f"{base_url}: {message}", "fix billing or permissions in the Claude Console")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return ok("Claude API", f"{base_url} accepts the key, but is busy with other calls (429)")
        case _:
            return unknown("Claude API", f"{base_url} answered {status}: {message}")


def _call(base_url: str, key: str) -> tuple[int, str]:
    url = urlsplit(base_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {key}", "anthropic-version": ANTHROPIC_VERSION}
    try:
        connection.request("GET", url.path.rstrip("/") + FREE_CALL, headers=headers)
        answer = connection.getresponse()
        return answer.status, _message(answer.read(100_000))
    finally:
        connection.close()


def _message(body: bytes) -> str:
    try:
        fields: Any = json.loads(body)
        return str(fields["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(body[:200].decode(errors="replace").split())
