"""The API key: read from Secrets Manager when it is needed, and seen nowhere else, whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchdrop import bootstrap
from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.errors import AccountTrouble, ApiUnavailable
from batchdrop.live_lane.reply import Answer, Passing
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from tests.aws import client
from tests.bodies import PARAMS, create_body
from tests.expanded import everything, expanded_template, plain
from tests.functions.lambdas import BUCKET, SECRET, STATE, UPLOAD, Functions
from tests.project import FUNCTIONS, ROOT, event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
KEY = "sk-ant-SENTINEL-5f3759df-never-to-be-seen"
ROW = b"x\na\nb\n"
DAY = 86_400.0


class Seen:
    """Everything that a function said: log, metrics, errors with their causes, answers."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def add(self, what: object) -> None:
        """Keep what was said."""
        self.text.append(what if isinstance(what, str) else repr(what))

    def add_error(self, error: BaseException) -> None:
        """Keep an error as Lambda's runtime reports it, the local variables of its frames left out."""
        self.add("".join(traceback.format_exception(error)))


# At DEBUG by its variable. It takes its level when it is first made, and never again: put back to what it was before
# that, it would say nothing in the tests that follow.
FUNCTIONS_OWN = "batchdrop"
NOT_AT_DEBUG = ("boto", "moto", "urllib3", "s3transfer")  # AWS's own: see the test of botocore's log below


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Seen]:
    """All logs at DEBUG: those of the Anthropic SDK, of its HTTP library and of aiohttp too."""
    for name in {*logging.root.manager.loggerDict, "anthropic", "httpx2", "httpcore2", "aiohttp"} - {FUNCTIONS_OWN}:
        if not name.startswith(NOT_AT_DEBUG):
            caplog.set_level(logging.DEBUG, logger=name)
    found = Seen()
    yield found
    told = [one.getMessage() + str(one.__dict__) for one in caplog.records]
    out, err = capfd.readouterr()
    everything_said = "\n".join([*found.text, *told, out, err])
    assert everything_said.strip()
    assert KEY not in everything_said
    assert KEY.encode().hex() not in everything_said


def _invoke(functions: Functions, seen: Seen, function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Invoke a function; keep all that it says. Its error is its own."""
    answer: dict[str, Any] = {}
    try:
        answer = functions.invoke(function, given)
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked at
        seen.add_error(error)
    seen.add(json.dumps(functions.log))
    seen.add(json.dumps(answer))
    return answer


def _put_key(key: str) -> None:
    client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=key)


def _split(functions: Functions) -> dict[str, Any]:
    functions.cloud.put("recipes/sentiment.yaml", b"model: claude-haiku-5-5\nprompt: 'Say {{ x }}'\n")
    task = {"upload": functions.cloud.put(UPLOAD["key"], ROW)}
    functions.invoke("split_upload", task)
    return task


FAULTS: list[dict[str, Any]] = [
    {"kind": "error_before_accept", "status": 400},
    {"kind": "error_before_accept", "status": 401},
    {"kind": "error_before_accept", "status": 403},
    {"kind": "error_before_accept", "status": 500},
    {"kind": "rate_limited"},
    {"kind": "drop_before_accept"},
    {"kind": "accept_then_drop"},
    {"kind": "spend_cap"},
]


def _steps(functions: Functions, seen: Seen, fault: dict[str, Any] | None) -> None:
    """Run all functions that ask the API, each with a fault of its own; then the close."""
    task = _split(functions)
    state = {**STATE, "requests": 2, "shards": 1}
    ended = {**state, "batch_id": "msgbatch_unknown", "ended": True}
    for function, given in (
        ("submit_shard", state),
        ("settle_submission", {**state, "looks": 0}),
        ("poll_batch", {**ended, "polls": 99}),
        ("collect_results", ended),
        ("answer_requests", event("answer_requests")),
        ("close_job", task),
    ):
        if fault:
            functions.cloud.emulator.inject(endpoint="*", **fault)
        _invoke(functions, seen, function, given)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}")
def test_the_key_is_in_no_log_error_or_answer(
    functions: Functions, seen: Seen, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    """Each function, through each fault, at DEBUG: `seen` fails if the key shows anywhere."""
    _put_key(KEY)
    _steps(functions, seen, fault)
    assert {"anthropic", "httpcore2", "batchdrop"} <= {one.name.partition(".")[0] for one in caplog.records}


def test_the_key_is_in_no_state_nor_in_the_bucket_nor_in_the_ledger(functions: Functions, seen: Seen) -> None:
    """Nothing that is written anywhere holds it, after a whole job and after one that broke."""
    _put_key(KEY)
    task = _split(functions)
    state = _invoke(functions, seen, "submit_shard", {**STATE, "requests": 2, "shards": 1})
    functions.cloud.emulator.advance(DAY)
    ended = _invoke(functions, seen, "poll_batch", state)
    _invoke(functions, seen, "collect_results", ended)
    _invoke(functions, seen, "close_job", task)
    functions.cloud.emulator.settings(revoked_keys=[KEY])
    _invoke(functions, seen, "submit_shard", {**STATE, "requests": 2, "round": 1})
    _invoke(functions, seen, "close_job", task)
    for one in functions.cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        seen.add(f"{one['Key']} {functions.cloud.get(one['Key'])!r}")
    seen.add(json.dumps(functions.cloud.table.scan()["Items"], default=str))
    assert any("summary.json" in text for text in seen.text)


def test_the_sentinel_is_what_is_sent(functions: Functions) -> None:
    """These tests are not blind: the API sees the key, and refuses another."""
    _put_key(KEY)
    functions.cloud.emulator.settings(accepted_keys=[KEY])
    _split(functions)
    assert functions.invoke("submit_shard", {**STATE, "requests": 2, "shards": 1})["batch_id"]


def test_the_environment_holds_no_key() -> None:
    """It names the secret; what else stands there is names and numbers of the template."""
    for resolved in (plain(), everything()):
        for function in [one for one in resolved["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]:
            variables = function["Properties"]["Environment"]["Variables"]
            assert variables["API_KEY_SECRET_ARN"] == {"Ref": "ApiKeySecret"}
            assert not [name for name in variables if re.search("KEY|TOKEN|PASSWORD", name) and "_ARN" not in name]
            assert "resolve:secretsmanager" not in json.dumps(variables)


def test_the_template_takes_no_key() -> None:
    """No parameter, so that no deploy, change set or shell history can hold it."""
    assert not [
        name for name in expanded_template()["Parameters"] if re.search("apikey|token|secret", name, re.IGNORECASE)
    ]


def test_only_bootstrap_reads_the_secret() -> None:
    """One place to look at."""
    layer = ROOT / "layers" / "core" / "batchdrop"
    shipped = {path: path.relative_to(layer) for path in layer.rglob("*.py")}
    shipped = {path: name for path, name in shipped.items() if name.parts[0] not in {"cli", "local"}}
    readers = {str(name) for path, name in shipped.items() if re.search("get_secret|Secrets", path.read_text("utf-8"))}
    assert readers == {"bootstrap.py"}
    for name in FUNCTIONS:
        assert "secret" not in (ROOT / "functions" / name / "app.py").read_text("utf-8").lower()


def test_botocores_debug_log_stays_off(functions: Functions, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG botocore would log the secret's value; LogLevel DEBUG is the functions' own logger's only."""
    _put_key(KEY)
    _split(functions)
    functions.invoke("submit_shard", {**STATE, "requests": 2, "shards": 1})
    assert not logging.getLogger("botocore").isEnabledFor(logging.DEBUG)
    assert KEY not in caplog.text


# --- rotation


def test_a_key_that_was_replaced_halts_no_job(functions: Functions) -> None:
    """Refused with 401, and the secret holds another by now: a passing failure; the next attempt has the new one."""
    _split(functions)
    state = {**STATE, "requests": 2, "shards": 1}
    functions.invoke("poll_batch", {**event("poll_batch")})  # the function is warm, with the old key
    functions.cloud.emulator.settings(accepted_keys=[KEY])
    _put_key(KEY)
    with pytest.raises(ApiUnavailable, match="the API key was replaced"):
        functions.invoke("submit_shard", state)
    assert functions.invoke("submit_shard", state)["batch_id"]
    assert functions.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"401": 1, "200": 1}


def test_a_wrong_key_halts_the_job_until_it_is_mended(functions: Functions) -> None:
    """The secret still holds the refused key: account trouble. A new one is used at once, not after five minutes."""
    _split(functions)
    state = {**STATE, "requests": 2, "shards": 1}
    functions.cloud.emulator.settings(accepted_keys=[KEY])
    with pytest.raises(AccountTrouble, match="HTTP 401"):
        functions.invoke("submit_shard", state)
    _put_key(KEY)
    bootstrap.ledger().lift(UPLOAD["job_id"])
    with contextlib.suppress(ApiUnavailable):
        functions.invoke("submit_shard", state)
    assert functions.invoke("submit_shard", state)["batch_id"]


@pytest.fixture(scope="module")
def service() -> Iterator[RunningEmulator]:
    """An emulator for the adapters alone."""
    with running_emulator() as emulator:
        yield emulator


def test_every_call_of_the_batch_api_knows_rotation(service: RunningEmulator) -> None:
    """Create, look, list and cancel."""
    service.reset()
    service.settings(accepted_keys=["new"])
    api = AnthropicBatchCreator(api_key="old", base_url=service.base_url, fresh_key=lambda: "new")
    calls = (
        lambda: api.create(create_body(1), timeout=5),
        lambda: api.retrieve("msgbatch_1"),
        lambda: api.cancel("msgbatch_1"),
        lambda: list(api.newest_first()),
    )
    for call in calls:
        with pytest.raises(ApiUnavailable, match="replaced"):
            call()


def _ask(service: RunningEmulator, *keys: str, at_once: int = 1) -> tuple[list[Any], int]:
    """Ask with `old` in hand and these keys in the secret, one a reading; return the replies and the readings."""
    readings: list[str] = []

    def fresh() -> str:
        readings.append(keys[min(len(readings), len(keys) - 1)])
        return readings[-1]

    async def asked() -> list[Any]:
        api = AiohttpMessageApi(api_key="old", base_url=service.base_url, fresh_key=fresh)
        try:
            first = await asyncio.gather(*(api.send(PARAMS % b"hi", within=5) for _ in range(at_once)))
            return [*first, await api.send(PARAMS % b"hi", within=5)]
        finally:
            await api.close()

    return asyncio.run(asked()), len(readings)


def test_the_live_lane_goes_on_with_a_new_key(service: RunningEmulator) -> None:
    """What the old key could not ask is a passing failure, asked again with the new one over the same connections."""
    service.reset()
    service.settings(accepted_keys=["new"])
    replies, _ = _ask(service, "new", at_once=4)
    assert [type(reply) for reply in replies] == [Passing] * 4 + [Answer]
    assert not any(reply.is_uncertain for reply in replies[:4])


def test_the_live_lane_tells_a_wrong_key(service: RunningEmulator) -> None:
    """Another one is not there."""
    service.reset()
    service.settings(accepted_keys=["new"])
    with pytest.raises(AccountTrouble, match="HTTP 401"):
        _ask(service, "old")


def test_the_key_goes_to_the_apis_own_host_only(service: RunningEmulator) -> None:
    """Results that are offered elsewhere are read from the API: tests/contract/test_gateways.py has all the ways."""
    service.reset()
    api = AnthropicBatchCreator(api_key=KEY, base_url=service.base_url)
    batch = api.create(create_body(1), timeout=5)
    service.advance(DAY)
    service.inject("results_foreign_host", host="https://evil.example")
    offered = api.retrieve(batch.id)
    assert offered.results_url is not None
    assert offered.results_url.startswith("https://evil.example/")
    assert len(b"".join(api.results(offered)).splitlines()) == 1


def test_no_file_of_the_project_holds_a_real_looking_key() -> None:
    """Neither code nor documents nor examples; what tests use is recognisable."""
    pattern = re.compile(rb"sk-ant-api\d\d-[\w-]{20,}")
    tracked = [path for folder in ("layers", "functions", "docs", "events", "examples") for path in _files(folder)]
    assert tracked
    assert [path.name for path in tracked if pattern.search(path.read_bytes())] == []


def _files(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
