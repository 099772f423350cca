"""Read what AWS answers in place of the API: a 403 for the signature, the credentials or the policy.

AWS checks a caller before the API sees the call. So such a refusal proves that nothing was created, if it names one of
AWS's reasons. Any other 403 may be a proxy's page, and proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec

from batchdrop.adapters.claude.json_body import json_of
from batchdrop.adapters.claude.signing import RequestSigner
from batchdrop.answers.odd_records import ODD
from batchdrop.errors import AccountTrouble, ApiUnavailable

_RENEW = "Renew the AWS credentials, such as with `aws sso login`, then resume the job"
_CHECK = "Check the AWS credentials, the region and WorkspaceId"
_FIXES = {
    "AccessDeniedException": (
        "Allow the action on this workspace in the policy of the role or user (docs/aws.md lists the actions)"
    ),
    "AccessDenied": "Allow the action on this workspace in the policy of the role or user",
    "ExpiredTokenException": _RENEW,
    "ExpiredToken": _RENEW,
    "IncompleteSignatureException": _CHECK,
    "InvalidSignatureException": _CHECK,
    "SignatureDoesNotMatch": _CHECK,
    "UnrecognizedClientException": _CHECK,
    "InvalidClientTokenId": _CHECK,
    "MissingAuthenticationTokenException": "A proxy may have removed the header Authorization. Let it pass",
    "OptInRequired": "Subscribe the account to Claude Platform on AWS",
}
_EXPIRED = {"ExpiredTokenException", "ExpiredToken"}
_SKEWED = re.compile(r"Signature (?:expired|not yet current): .*\((\d{8}T\d{6}Z) ")
_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")


class _Body(msgspec.Struct):
    message: str = ""
    capital: str = msgspec.field(name="Message", default="")
    kind: str = msgspec.field(name="__type", default="")


_BODY = msgspec.json.Decoder(_Body)


def refused_by_aws(
    status: int, headers: Mapping[str, str], body: bytes, signed: str, signer: RequestSigner | None
) -> AccountTrouble | ApiUnavailable | None:
    """Return the error of a refusal by AWS; None for any other answer. `signed` is the request's Authorization.

    ApiUnavailable: nothing was done, and the next attempt can succeed, because it signs with AWS's clock or with
    credentials that were renewed meanwhile. The signer learns the clock here.
    """
    if signer is None or status not in {HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST}:
        return None
    try:
        found = _BODY.decode(json_of(body))
    except ODD:
        return None
    kind = (headers.get("x-amzn-errortype") or found.kind).partition(":")[0].rpartition("#")[2]
    if kind not in _FIXES:
        return None
    words = found.message or found.capital
    if skewed := _SKEWED.search(words):
        signer.learn_clock(datetime.strptime(skewed[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
        seconds = signer.offset.total_seconds()
        return ApiUnavailable(
            f"AWS refused the date of the signature: its clock is {seconds:+.0f} s from this machine's. The next "
            "attempt signs with AWS's clock"
        )
    used = _ACCESS_KEY.search(signed)
    if kind in _EXPIRED and used and used[1] != signer.access_key():
        return ApiUnavailable("the AWS credentials were renewed since the call was signed; the next attempt has them")
    request_id = headers.get("x-amzn-requestid")
    return AccountTrouble(f"HTTP {status}: {kind}: {words} (request-id {request_id}). {_FIXES[kind]}")
