"""Facts that both template.yaml and the code state are equal: no number has two values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from batchdrop import settings
from batchdrop.adapters.formats.compression.compression import MAX_SPOOLED_BYTES
from batchdrop.job.polling import SETTLE_FIRST_WAIT
from batchdrop.limits import BATCH_LIFETIME, LEDGER_KEPT
from batchdrop.live_lane.slice_sender import OPENING_RESERVE
from batchdrop.requests.sharding import MAX_ANSWER_BYTES
from tests.project import definition, template

PARAMETERS: dict[str, dict[str, Any]] = template()["Parameters"]
FUNCTIONS = {name: one for name, one in template()["Resources"].items() if one["Type"] == "AWS::Serverless::Function"}

# Parameters that reach no function's environment, and what the code states of them.
STATED_IN_CODE = {"JobFilesDays": LEDGER_KEPT.days, "LiveConcurrency": settings.LIVE_CONCURRENCY}
NOT_IN_CODE = {
    "CaLayerArn", "HttpsProxy", "NoProxy",  # no setting of batchdrop: the HTTP clients read their variables
    "AlarmTopicArn", "Alarms", "ApprovalSeconds", "FailurePercent", "KmsKeyArn", "LogRetentionDays", "NotifyEmail",
    "NotifyWebhook",
    "OldVersionsDays", "ResultsDays", "SpendAlarmUsd", "StuckHours", "SubmitTimeout",
}  # fmt: skip
POWERTOOLS = {"LogLevel"}  # read by Powertools' Logger, not by the code


def _variables() -> dict[str, Any]:
    """Return every environment variable of every function with the value that the template gives it."""
    found = dict(template()["Globals"]["Function"]["Environment"]["Variables"])
    for function in FUNCTIONS.values():
        found |= function["Properties"].get("Environment", {}).get("Variables", {})
    return found


def _parameter_of(value: Any) -> str:
    """Return the parameter that a variable's value is; empty for a resource, or a text."""
    name = value.get("Ref", "") if isinstance(value, dict) else ""
    return name if name in PARAMETERS else ""


FROM_PARAMETERS = {name: parameter for name, value in _variables().items() if (parameter := _parameter_of(value))}


class Environment(dict[str, str]):
    """An environment that remembers which variables were asked for."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        """Return a variable."""
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a variable, or the default."""
        self.read.add(name)
        return super().get(name, default)


def _settings(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> tuple[dict[str, Any], set[str]]:
    """Return the settings in this environment, and the variables that they were read from."""
    environment = Environment({"BUCKET_NAME": "bucket", **values})
    monkeypatch.setattr("batchdrop.settings.os.environ", environment)
    return asdict(settings.from_environment()), environment.read


def test_the_codes_defaults_are_the_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function without a variable behaves as one with the template's default, whichever parameter it is."""
    defaults = {name: str(PARAMETERS[parameter]["Default"]) for name, parameter in FROM_PARAMETERS.items()}
    as_template, _ = _settings(monkeypatch, defaults)
    as_code, _ = _settings(monkeypatch, {})
    assert as_code == as_template


def test_a_default_that_differs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these parameters reaches a setting: another default changes the settings, so the test above sees it."""
    as_code, _ = _settings(monkeypatch, {})
    for name in FROM_PARAMETERS.keys() - {"POWERTOOLS_LOG_LEVEL"}:
        changed, _ = _settings(monkeypatch, {name: "7"})
        assert changed != as_code, name


def test_settings_and_template_name_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting that nobody can set, and no variable that nobody reads. Lambda and embedded stacks set some more."""
    _, read = _settings(monkeypatch, {})
    others = {name for name in _variables() if name.startswith(("AWS_", "POWERTOOLS_"))}  # read by the SDKs
    others |= {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"}  # read by the HTTP clients and by OpenSSL
    embedded = {
        settings.CREDENTIALS_FILE_ENV,
        settings.LEDGER_FILE_ENV,
        settings.ANSWERS_FILE_ENV,
        settings.ENDPOINT_ENV,
        settings.COMMANDS_ENV,
    }
    assert read - embedded - {"AWS_REGION"} == _variables().keys() - others


def test_every_parameter_is_compared() -> None:
    """A new parameter has a setting, or says here what the code states of it, or that it states nothing."""
    reaching = set(FROM_PARAMETERS.values()) - POWERTOOLS
    assert reaching | STATED_IN_CODE.keys() | NOT_IN_CODE | POWERTOOLS == PARAMETERS.keys()
    assert not reaching & STATED_IN_CODE.keys()
    assert not (reaching | STATED_IN_CODE.keys()) & NOT_IN_CODE


@pytest.mark.parametrize(("parameter", "stated"), STATED_IN_CODE.items())
def test_what_the_code_states_is_the_templates_default(parameter: str, stated: int) -> None:
    """Where no variable carries the value to the code."""
    assert PARAMETERS[parameter]["Default"] == stated


def test_the_map_begins_with_the_first_settle_wait() -> None:
    """A shard whose first create is lost waits by the Map's own input."""
    assert definition()["States"]["Send every shard"]["ItemSelector"]["wait_seconds"] == SETTLE_FIRST_WAIT


def test_a_job_is_stuck_only_after_a_message_batch_has_expired() -> None:
    """A Message Batch may take its whole lifetime."""
    assert PARAMETERS["StuckHours"]["Default"] * 3_600 > BATCH_LIFETIME.total_seconds()


@pytest.mark.parametrize(
    ("function", "most"),
    [
        ("SplitUploadFunction", MAX_SPOOLED_BYTES),
        ("CollectResultsFunction", MAX_ANSWER_BYTES),
        ("CloseJobFunction", MAX_ANSWER_BYTES),
        ("ShowSampleFunction", MAX_ANSWER_BYTES),
    ],
)
def test_the_disk_holds_what_the_limit_allows(function: str, most: int) -> None:
    """`/tmp` is as large as the template says; the limits are the code's."""
    disk = FUNCTIONS[function]["Properties"]["EphemeralStorage"]["Size"] * 1024 * 1024
    assert most < disk < most * 1.25


def test_a_worker_has_time_to_send_requests() -> None:
    """It keeps OPENING_RESERVE of its timeout for the requests that are open."""
    assert FUNCTIONS["AnswerRequestsFunction"]["Properties"]["Timeout"] > 2 * OPENING_RESERVE
