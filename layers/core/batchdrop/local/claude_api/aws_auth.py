"""Check SigV4 signatures, as Claude Platform on AWS does: who signed, what, when, and whether the action is allowed."""

import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request

from batchdrop.local.claude_api.errors import AwsError
from batchdrop.local.claude_api.settings import Settings

SERVICE = "aws-external-anthropic"
ACTIONS = {
    "messages.create": "CreateInference",
    "messages.count_tokens": "CountTokens",
    "models.list": "ListModels",
    "models.retrieve": "GetModel",
    "batches.create": "CreateBatchInference",
    "batches.list": "ListBatchInferences",
    "batches.retrieve": "GetBatchInference",
    "batches.results": "GetBatchInference",
    "batches.delete": "DeleteBatchInference",
    "batches.cancel": "CancelBatchInference",
}
"""The IAM action of each endpoint."""
UNSIGNED = "MissingAuthenticationTokenException"
INCOMPLETE = "IncompleteSignatureException"
INVALID = "InvalidSignatureException"
UNKNOWN = "UnrecognizedClientException"
EXPIRED = "ExpiredTokenException"
DENIED = "AccessDeniedException"
DIGEST = "x-amz-content-sha256"
_FORMAT = "%Y%m%dT%H%M%SZ"
_MOST_SKEW = 300  # seconds: SigV4 accepts five minutes to each side
_MUST_BE_SIGNED = {"host", "x-amz-date"}
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r" ?SignedHeaders=(?P<names>[\w;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


async def check_signature(request: Request, settings: Settings) -> None:
    """Raise AwsError (403) for a request that was not signed, or not well.

    The digest of the body is the header's, if the client sent one: then the body must be checked when it is read.
    """
    headers = request.headers
    given = headers.get("authorization", "")
    if not given:
        raise AwsError(UNSIGNED, "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(given)
    if found is None or "x-amz-date" not in headers:
        raise AwsError(INCOMPLETE, "Authorization header requires existence of its four parts.")
    _check_scope(found, settings)
    _check_date(headers["x-amz-date"], found["date"], settings)
    secret = _secret_of(found["key"], headers.get("x-amz-security-token", ""), settings)
    names = found["names"].split(";")
    digest = headers.get(DIGEST) or hashlib.sha256(await request.body()).hexdigest()
    unsigned = _MUST_BE_SIGNED | {name for name in headers if name.startswith("x-amz-")}
    if unsigned - set(names) or not hmac.compare_digest(found["signature"], _signature(request, found, secret, digest)):
        raise mismatch()


def mismatch() -> AwsError:
    """Return the error for a signature that does not fit what came."""
    return AwsError(
        INVALID,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
    )


def check_action(endpoint: str, workspace: str, settings: Settings) -> None:
    """Raise AwsError (403) if the caller's policy does not allow the endpoint's action on the workspace."""
    action = ACTIONS[endpoint]
    is_known = settings.aws_workspaces is None or workspace in settings.aws_workspaces
    if is_known and action not in settings.aws_denied_actions:
        return
    account, region = settings.aws_account, settings.aws_region
    raise AwsError(
        DENIED,
        f"User: arn:aws:sts::{account}:assumed-role/emulated/caller is not authorized to perform: {SERVICE}:{action} "
        f"on resource: arn:aws:{SERVICE}:{region}:{account}:workspace/{workspace} because no identity-based policy "
        f"allows the {SERVICE}:{action} action",
    )


def _check_scope(found: re.Match[str], settings: Settings) -> None:
    if found["region"] != settings.aws_region:
        message = f"Credential should be scoped to a valid region, not '{found['region']}'. "
        raise AwsError(INVALID, message)
    if found["service"] != SERVICE:
        message = f"Credential should be scoped to correct service: '{SERVICE}'. "
        raise AwsError(INVALID, message)


def _check_date(stamp: str, date: str, settings: Settings) -> None:
    now = time.time() + settings.aws_skew_seconds
    try:
        signed_at = datetime.strptime(stamp, _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        message = f"Date must be in ISO-8601 'basic format'. Got '{stamp}'."
        raise AwsError(INCOMPLETE, message) from None
    if not stamp.startswith(date):
        message = (
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: '{date}' != '{stamp}'."
        )
        raise AwsError(INVALID, message)
    if signed_at < now - _MOST_SKEW:
        words = f"Signature expired: {stamp} is now earlier than {_at(now - _MOST_SKEW)} ({_at(now)} - 5 min.)"
        raise AwsError(INVALID, words)
    if signed_at > now + _MOST_SKEW:
        words = f"Signature not yet current: {stamp} is still later than {_at(now + _MOST_SKEW)} ({_at(now)} + 5 min.)"
        raise AwsError(INVALID, words)


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORMAT)


def _secret_of(key: str, token: str, settings: Settings) -> str:
    """Return the secret of an access key; raises AwsError (403) for unknown or expired credentials."""
    known = {name: (secret, session) for name, secret, session in map(_parts, settings.aws_credentials)}
    secret, session = known.get(key, ("", None))
    if session != token:
        raise AwsError(UNKNOWN, "The security token included in the request is invalid.")
    if key in settings.aws_expired_keys:
        raise AwsError(EXPIRED, "The security token included in the request is expired")
    return secret


def _parts(text: str) -> tuple[str, str, str]:
    key, _, rest = text.partition(":")
    secret, _, session = rest.partition(":")
    return key, secret, session


def _signature(request: Request, found: re.Match[str], secret: str, digest: str) -> str:
    names = found["names"].split(";")
    values = {name: ",".join(" ".join(one.split()) for one in request.headers.getlist(name)) for name in names}
    lines = "".join(f"{name}:{value}\n" for name, value in values.items())
    path = quote(request.scope.get("raw_path", b"").decode().partition("?")[0] or "/", safe="/~")
    pairs = sorted(pair.partition("=")[::2] for pair in request.url.query.split("&") if pair)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    canonical = f"{request.method}\n{path}\n{query}\n{lines}\n{found['names']}\n{digest}"
    scope = f"{found['date']}/{found['region']}/{found['service']}/aws4_request"
    stamp = request.headers["x-amz-date"]
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
