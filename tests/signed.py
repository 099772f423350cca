"""Headers that botocore signs, for calls that tests make by hand."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SERVICE = "aws-external-anthropic"
DIGEST_OF_NOTHING = hashlib.sha256(b"").hexdigest()


def signed_headers(
    method: str,
    url: str,
    key: str,
    secret: str,
    token: str | None = None,
    *,
    digest: str | None = None,
    region: str = "us-east-1",
    workspace: str = "",
    at: datetime | None = None,
) -> dict[str, str]:
    """Return botocore's headers. `digest` stands for the body; None is that of no body, without a header for it."""
    request = AWSRequest(method, url)
    if digest is not None:
        request.headers["x-amz-content-sha256"] = digest
    if workspace:
        request.headers["anthropic-workspace-id"] = workspace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at or datetime.now(UTC))
        SigV4Auth(Credentials(key, secret, token), SERVICE, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}
