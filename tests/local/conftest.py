"""Shared fixtures of the embedded stack's tests: a small project of their own, and a stack that runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchdrop.local.stack import EmbeddedStack, StackOptions

FIXTURE_TEMPLATE = Path(__file__).parent / "fixture_project" / "template.yaml"
USERS_OWN = {
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "users-real-secret",
    "AWS_SESSION_TOKEN": "users-real-token",
    "AWS_PROFILE": "users-real-profile",
    "AWS_REGION": "eu-real-1",
    "ANTHROPIC_API_KEY": "sk-users-real-key",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture(scope="session")
def template() -> Path:
    """The small project's template."""
    return FIXTURE_TEMPLATE


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A running stack of the small project, started by a user who has an account, a profile and a proxy."""
    logs = tmp_path_factory.mktemp("logs")
    options = StackOptions(wait_scale=0.01, log_dir=logs, template=FIXTURE_TEMPLATE, overrides={"Greeting": "good day"})
    with pytest.MonkeyPatch.context() as users:
        for name, value in USERS_OWN.items():
            users.setenv(name, value)
        with EmbeddedStack(options) as running:
            yield running
