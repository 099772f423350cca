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
from batchdrop.cli.run.service import REAL_BASE_URL, Service
from batchdrop.errors import AccountTrouble, ApiUnavailable, RateLimited
from batchdrop.settings import AWS

ANTHROPIC_VERSION = "2026-10-21"
FREE_CALL = "/v1/messages/batches?limit=1"  # a free listing that needs the same permission as jobs
SECONDS = 15.0


def api_key(deployment: Deployment) -> Iterator[Finding]:
    """Check that the stack's secret has a key, and that the API accepts it. A stack on AWS has none."""
    if parameters(deployment).get("Provider") == AWS:
        yield from on_aws(deployment)
        return
    secret = deployment.outputs["ApiKeySecretArn"]
    key = deployment.client("secretsmanager").get_secret_value(SecretId=secret).get("SecretString", "").strip()
    fix = f"aws secretsmanager put-secret-value --secret-id {secret} --secret-string <your key>"
    if key in {"", PLACEHOLDER_KEY}:
        yield problem("API key", "the secret has no key yet", fix)
        return
    yield ok("API key", f"there ({len(key)} characters)")
    yield answer_to(parameters(deployment).get("AnthropicBaseUrl") or REAL_BASE_URL, key, fix)


def on_aws(deployment: Deployment) -> Iterator[Finding]:
    """Check the workspace of a stack without a key, with a free call that the user's own credentials sign."""
    known = parameters(deployment)
    workspace = known.get("WorkspaceId", "")
    yield ok("API key", f"none: the roles sign, for workspace {workspace}")
    if deployment.is_embedded:
        return
    from batchdrop.adapters.claude.read_batches import HttpBatchReader
    from batchdrop.adapters.claude.signing import base_url_of

    region = deployment.state_machine_arn.split(":")[3]
    base_url = known.get("AnthropicBaseUrl") or base_url_of(region)
    service = Service(base_url, None, workspace, region)
    try:
        next(HttpBatchReader(**service.access()).newest_first(), None)
    except RateLimited:
        yield ok("Claude API", f"{base_url} accepts your credentials, but is busy with other calls")
    except ApiUnavailable as error:
        fix = "check your network; the stack may still reach it"
        yield warning("Claude API", f"{base_url} cannot be reached from this machine: {error}", fix)
    except AccountTrouble as error:
        fix = "these are your own credentials, not the roles'; the roles' policies name the workspace in WorkspaceId"
        yield warning("Claude API", f"{base_url}: {error}", fix)
    else:
        yield ok("Claude API", f"{base_url} accepts your credentials for the workspace (one free call)")


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
