"""Build the environment of the stack's processes from scratch, so that nothing of the user's reaches a function.

A function inherits ministack's environment. The user's AWS_PROFILE or credentials there could make a local run use a
real account. So only necessary variables are passed on, and everything that names an account names a dead end.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from batchdrop.local.parent_watchdog import CALLS_ENV, REMOVES_ENV, WATCHDOG_ENV
from batchdrop.settings import COMMANDS_ENV, ENDPOINT_ENV

REGION = "us-east-1"
# ministack takes a client's access key as its account id; functions and clients must use the same one.
ACCOUNT = "000000000000"
SECRET_KEY = "local"  # noqa: S105 -- ministack checks no signature

_PASSED_ON = frozenset(
    (
        *("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    )
)
_LOOPBACK = "127.0.0.1,localhost"


def base_environment(environ: Mapping[str, str], *, temp_dir: Path, watchdog: Path) -> dict[str, str]:
    """Return the environment of the stack's processes, from the user's `environ`."""
    kept = {name: value for name, value in environ.items() if name in _PASSED_ON}
    no_proxy = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), _LOOPBACK]))
    return kept | {
        "TMPDIR": str(temp_dir),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        WATCHDOG_ENV: str(watchdog),
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def ministack_environment(
    base: Mapping[str, str],
    *,
    port: int,
    wait_scale: float,
    identity: str,
    temp_dir: Path,
    bucket_data: Path | None = None,
    aws_calls: Path | None = None,
    commands: str = "",
) -> dict[str, str]:
    """Return ministack's environment: loopback only, one listener, no Docker.

    With `bucket_data`, it keeps the bucket's objects in that folder, else everything in memory. Never set its
    PERSIST_STATE: that writes secrets to the disk, and only at an orderly end. With `aws_calls`, the functions record
    their AWS calls in that file. Reports show `commands`, or name this stack by its address.

    ministack returns `identity` in its health report (as its edition). It distinguishes this ministack from another one
    that took the port first.
    """
    return dict(base) | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_EDITION": identity,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "SFN_WAIT_SCALE": repr(wait_scale),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # With Docker, ministack would remove containers that it takes for its own.
        "DOCKER_HOST": f"unix://{temp_dir}/no-docker.sock",
        "STATE_DIR": f"{temp_dir}/state",
        "S3_PERSIST": "1" if bucket_data else "0",
        "S3_DATA_DIR": str(bucket_data or temp_dir / "s3"),
        REMOVES_ENV: str(temp_dir),
        ENDPOINT_ENV: f"http://127.0.0.1:{port}",
        COMMANDS_ENV: commands,
        **({CALLS_ENV: str(aws_calls)} if aws_calls else {}),
    }
