"""Which Claude API is asked, and how fast waits go by default."""

import pytest

from batchdrop.cli.run.service import EMULATED_WAIT_SCALE, REAL_BASE_URL, ServiceUnclearError, service_of

URL, KEY = "https://claude.example", "sk-ant-mine"


@pytest.mark.parametrize("environment", [{}, {"ANTHROPIC_API_KEY": ""}, {"ANTHROPIC_BASE_URL": " "}, {"PATH": "/bin"}])
def test_emulator_by_default(environment: dict[str, str]) -> None:
    """With neither of the two variables set the emulator answers, at scaled time, and nobody is billed."""
    service = service_of(environment)
    assert (service.base_url, service.api_key) == (None, None)
    assert service.wait_scale == EMULATED_WAIT_SCALE < 1
    assert "no bill" in service.description


@pytest.mark.parametrize(
    ("environment", "base_url"),
    [
        ({"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_API_KEY": KEY}, URL),
        ({"ANTHROPIC_BASE_URL": f" {URL}\n", "ANTHROPIC_API_KEY": f"{KEY}\n"}, URL),
        ({"ANTHROPIC_API_KEY": KEY}, REAL_BASE_URL),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": ""}, REAL_BASE_URL),
    ],
)
def test_real_service(environment: dict[str, str], base_url: str) -> None:
    """With a key the real service, or the named one, is asked; no wait is shortened; the user is told of the bill."""
    service = service_of(environment)
    assert (service.base_url, service.api_key, service.wait_scale) == (base_url, KEY, 1.0)
    assert base_url in service.description
    assert "billed to you" in service.description
    assert KEY not in service.description


@pytest.mark.parametrize(("named", "workspace"), [({}, ""), ({"ANTHROPIC_WORKSPACE_ID": " wrkspc_1\n"}, "wrkspc_1")])
def test_workspace(named: dict[str, str], workspace: str) -> None:
    """A key of several workspaces counts in the one that is named."""
    assert service_of({"ANTHROPIC_API_KEY": KEY, **named}).workspace == workspace


def test_base_url_without_a_key() -> None:
    """It is unclear who is meant to pay, so nothing is chosen."""
    with pytest.raises(ServiceUnclearError, match="ANTHROPIC_API_KEY is not"):
        service_of({"ANTHROPIC_BASE_URL": URL})
