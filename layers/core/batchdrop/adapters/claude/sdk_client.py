"""Build the official SDK's client for either provider. It never retries, and follows no redirect."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2

from batchdrop.adapters.claude.errors import workspace_header
from batchdrop.adapters.claude.json_body import UNCOMPRESSED
from batchdrop.adapters.claude.signing import RequestSigner, SignedRequests


def sdk_client(
    *,
    api_key: str,
    base_url: str | None,
    transport: httpx2.BaseTransport | None,
    workspace: str,
    signer: RequestSigner | None,
    headers: dict[str, str] | None = None,
) -> anthropic.Anthropic:
    """Return a client with a key, or one that `signer` signs for.

    The SDK's own signing reads the whole body, which is 250 MB for a create. So its client for AWS gets no credentials,
    and its HTTP client signs.
    """
    options: dict[str, Any] = {} if transport is None else {"transport": transport}
    own = {**UNCOMPRESSED, **(headers or {})}
    if signer is None:
        return anthropic.Anthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(follow_redirects=False, **options),
            default_headers={**own, **workspace_header(workspace)},
        )
    from anthropic.lib.aws import AnthropicAWS

    return AnthropicAWS(
        skip_auth=True,
        aws_region=signer.region,
        workspace_id=signer.workspace,
        base_url=base_url,
        max_retries=0,
        http_client=anthropic.DefaultHttpxClient(follow_redirects=False, auth=SignedRequests(signer), **options),
        default_headers=own,
    )
