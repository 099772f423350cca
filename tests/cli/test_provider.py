"""`--provider aws`: the user's own AWS credentials sign what the command sends, and nothing keeps them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from batchdrop.adapters.aws.credentials_file import credentials_of, region_of
from batchdrop.adapters.claude.models import AnthropicModels
from batchdrop.cli.check.token_counting import token_counter
from batchdrop.cli.doctor import service as doctor
from batchdrop.cli.doctor.findings import Level
from batchdrop.cli.main import app
from batchdrop.cli.run.service import Service, ServiceUnclearError, service_of, with_provider
from batchdrop.cli.trial.trying import Trying, tried
from batchdrop.errors import AccountTrouble
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.local.claude_credentials import KeptCredentials
from tests.bodies import PARAMS
from tests.callers import ACCESS_KEY, SECRET, TOKEN, WORKSPACE, on_aws
from tests.cli.commands import BATCHDROP, start
from tests.cli.deployed import Deployed

REGION = "us-east-1"
OWN = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_REGION": REGION,
    "ANTHROPIC_AWS_WORKSPACE_ID": WORKSPACE,
}
PLAIN: dict[str, Any] = {"is_random": False, "files": None, "pays_again": False}
RECIPE = "model: claude-haiku-5-5\nmax_tokens: 50\nprompt: 'Label: {{ text }}'\n"


@pytest.fixture
def aws() -> Iterator[RunningEmulator]:
    """Claude Platform on AWS, which knows the user."""
    with running_emulator(speed=50) as running:
        on_aws(running)
        yield running


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's credentials in the environment."""
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)


def _service(aws: RunningEmulator) -> Service:
    return service_of({**OWN, "BATCHDROP_PROVIDER": "aws", "ANTHROPIC_AWS_BASE_URL": aws.base_url})


def _table(folder: Path) -> tuple[Path, Path]:
    (folder / "ask.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "rows.csv").write_text("id,text\n1,good\n2,bad\n3,odd\n", encoding="utf-8")
    return folder / "ask.yaml", folder / "rows.csv"


def test_the_service_is_that_of_the_region() -> None:
    """The address as the SDK derives it; the user is told of the bill."""
    found = service_of(with_provider(OWN, "aws"))
    assert (found.base_url, found.api_key) == ("https://aws-external-anthropic.us-east-1.api.aws", None)
    assert (found.workspace, found.region, found.wait_scale) == (WORKSPACE, REGION, 1.0)
    assert "your AWS bill" in found.description


def test_a_key_is_used_without_a_choice() -> None:
    """AWS credentials alone choose nothing: many have them for the bucket."""
    assert service_of({**OWN, "ANTHROPIC_API_KEY": "sk"}).api_key == "sk"
    assert service_of(OWN).base_url is None
    assert service_of(with_provider({**OWN, "BATCHDROP_PROVIDER": "aws"}, "anthropic")).base_url is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ANTHROPIC_AWS_WORKSPACE_ID": " "}, "Set ANTHROPIC_AWS_WORKSPACE_ID to its id"),
        ({"BATCHDROP_PROVIDER": "bedrock"}, "the provider is 'bedrock'; it must be anthropic or aws"),
        ({"ANTHROPIC_AWS_BASE_URL": "claude.example"}, "must begin with https:// or http://"),
    ],
)
def test_what_is_missing_is_named(changed: dict[str, str], words: str) -> None:
    """With what to set."""
    with pytest.raises(ServiceUnclearError, match=words):
        service_of({**OWN, "BATCHDROP_PROVIDER": "aws", **changed})


def test_a_region_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment, or of the profile."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(ServiceUnclearError, match="Set AWS_REGION"):
        service_of({"BATCHDROP_PROVIDER": "aws", "ANTHROPIC_AWS_WORKSPACE_ID": WORKSPACE})


def test_no_credentials_are_account_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts."""
    for name in [*OWN, "AWS_PROFILE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccountTrouble, match="no AWS credentials to sign with"):
        service_of(with_provider(OWN, "aws")).stack_options()


@pytest.mark.usefixtures("own")
def test_try_and_check_sign_with_them(aws: RunningEmulator, tmp_path: Path) -> None:
    """Live answers, token counts and the list of models."""
    service = _service(aws)
    recipe, table = _table(tmp_path)
    shown = tried(Trying(recipe, table, 2, out=tmp_path / "out", **PLAIN), service)
    assert [one.status for one in shown.rows] == ["answered", "answered"]
    with token_counter(service) as counter:
        assert counter.count(PARAMS % b"hi") > 0
    with closing(AnthropicModels(**service.access())) as models:
        assert models.table(set()).models
    assert {call["outcome"] for call in aws.calls()} == {"200"}


@pytest.mark.usefixtures("own")
def test_try_takes_the_option(aws: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line's choice."""
    recipe, table = _table(tmp_path)
    monkeypatch.setenv("ANTHROPIC_AWS_BASE_URL", aws.base_url)
    words = ["try", str(recipe), str(table), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, [*words, "--provider", "aws"])
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["rows"]) == 3


@pytest.mark.stack
@pytest.mark.parametrize("lane", ["batch", "live"])
def test_a_run_signs_with_them_and_keeps_none(aws: RunningEmulator, tmp_path: Path, lane: str) -> None:
    """A whole job; no file has the secret or the token afterwards, nor has the command's folder."""
    recipe, table = _table(tmp_path)
    recipe.write_text(f"{RECIPE}lane: {lane}\n", encoding="utf-8")
    place = tmp_path / "command"
    place.mkdir()
    aws.settings(batch_seconds=50)
    words: list[str | Path] = [BATCHDROP, "run", recipe, table, "--provider", "aws", "--wait-scale", "0.02"]
    command = start([*words, "--out", tmp_path / "out"], place, **OWN, ANTHROPIC_AWS_BASE_URL=aws.base_url)
    try:
        assert command.ended() == 0, command.output
    finally:
        command.kill_all()
    (output,) = (tmp_path / "out").glob("*/output.csv")
    with output.open(encoding="utf-8", newline="") as file:
        assert {row["_status"] for row in csv.DictReader(file)} == {"answered"}
    assert [batch.workspace for batch in aws.state.batches.all()] == ([WORKSPACE] if lane == "batch" else [])
    assert aws.bill_summary()["requests"] == 3
    command.nothing_is_left()
    for path in [one for one in tmp_path.rglob("*") if one.is_file()]:
        content = path.read_bytes()
        assert SECRET.encode() not in content, path
        assert TOKEN.encode() not in content, path


class Login:
    """Credentials that change."""

    def __init__(self) -> None:
        self.key = "ASIA1"

    def get_frozen_credentials(self) -> Any:
        """Return those of now."""
        from botocore.credentials import ReadOnlyCredentials

        return ReadOnlyCredentials(self.key, SECRET, TOKEN)


def test_the_file_is_the_owners_and_goes_with_the_stack(tmp_path: Path) -> None:
    """Functions read credentials and region from it."""
    path = tmp_path / "credentials.json"
    kept = KeptCredentials(Login(), "eu-west-1", path)
    kept.start()
    assert path.stat().st_mode & 0o077 == 0
    assert credentials_of(str(path)).get_frozen_credentials().access_key == "ASIA1"
    assert region_of(str(path)) == "eu-west-1"
    kept.stop()
    assert not path.exists()
    with pytest.raises(AccountTrouble, match="its command has ended"):
        credentials_of(str(path))


@pytest.mark.parametrize(("denied", "level"), [([], Level.OK), (["ListBatchInferences"], Level.WARNING)])
def test_doctor_tries_the_workspace(
    deployed: Deployed, aws: RunningEmulator, denied: list[str], level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key is looked for; a call of the user's own credentials is free, and says nothing about the roles'."""
    for name, value in OWN.items():  # after moto has put its own there
        monkeypatch.setenv(name, value)
    aws.settings(aws_denied_actions=denied)
    given = {"Provider": "aws", "WorkspaceId": WORKSPACE, "AnthropicBaseUrl": aws.base_url}
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    none, answer = doctor.api_key(replace(deployed.found(), described={"Parameters": parameters}))
    assert (none.level, answer.level) == (Level.OK, level)
    assert "the roles sign" in none.says
    assert SECRET not in answer.says + answer.fix
