"""The judge's endpoints, the clock, and the emulator as a process."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import anthropic
import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.clock import EmulatedClock, rfc3339
from batchdrop.local.claude_api.testing import Emulator, RunningEmulator, running_emulator
from tests.claude_api.asks import finished, params, requests

ROOT = Path(__file__).parents[2]


def test_the_clock_runs_at_its_speed_and_can_be_pushed() -> None:
    """Start + wall time x speed + advances, also when the speed changes."""
    wall = [100.0]
    clock = EmulatedClock(start=1000.0, speed=60, wall=lambda: wall[0])
    wall[0] += 2
    assert clock.now() == 1120
    clock.set_speed(1)
    wall[0] += 2
    assert clock.now() == 1122
    assert clock.advance(8) == 1130
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    assert rfc3339(0.25) == "1970-01-01T00:00:00.250000Z"


def test_a_clock_can_be_injected(tmp_path: Path) -> None:
    """Into an emulator inside the test; its files go where they are told, and are gone in the end."""
    clock = EmulatedClock(start=1_800_000_000, speed=0)
    with running_emulator(clock=clock, folder=tmp_path, batch_seconds=10) as emulator:
        assert emulator.now() == 1_800_000_000
        with Anthropic(api_key="k", base_url=emulator.base_url, max_retries=0) as client:
            batch = client.messages.batches.create(requests=requests(1))
            clock.advance(11)
            assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
            assert batch.created_at.timestamp() == 1_800_000_000
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


def test_settings_are_checked(emulator: RunningEmulator) -> None:
    """Unknown names, wrong types and impossible values are a 400 that says why, and change nothing."""
    before = emulator.settings()
    for wrong in ({"bach_seconds": 1}, {"batch_seconds": "x"}, {"requests_per_second": 0}, {"errored_rate": 2}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            emulator.settings(**wrong)
        assert caught.value.code == 400
        assert next(iter(wrong)) in json.load(caught.value)["error"]
    assert emulator.settings() == before
    assert emulator.settings(batch_seconds=7)["batch_seconds"] == 7


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("explode", {}), ("spend_cap", {"endpoint": "batch.create"}), ("spend_cap", {"tims": 1})],
)
def test_faults_are_checked(emulator: RunningEmulator, kind: str, fields: dict[str, str]) -> None:
    """A kind, endpoint or field that does not exist is a 400: such a fault would never fire."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        emulator.inject(kind, **fields)
    assert caught.value.code == 400
    assert emulator.faults() == []


def test_the_clock_does_not_go_back_over_http(emulator: RunningEmulator) -> None:
    """A negative advance is a 400."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        emulator.advance(-5)
    assert caught.value.code == 400


def test_calls_are_counted(client: Anthropic, emulator: RunningEmulator) -> None:
    """By endpoint and status, with the peak of any 60 emulated seconds."""
    batch = client.messages.batches.create(requests=requests(1))
    for _ in range(6):
        client.messages.batches.retrieve(batch.id)
        emulator.advance(20)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve("msgbatch_none")
    summary = emulator.call_summary()
    assert summary["total"] == 8
    assert summary["by_endpoint"] == {"batches.create": {"200": 1}, "batches.retrieve": {"200": 6, "404": 1}}
    assert summary["peak_per_minute"] == {"batches.*": 4, "batches.create": 1, "batches.retrieve": 3}
    last = emulator.calls()[-1]
    assert (last["path"], last["outcome"]) == ("/v1/messages/batches/msgbatch_none", "404")


def test_reset_is_as_good_as_new(client: Anthropic, emulator: RunningEmulator) -> None:
    """No batches, bill, calls or faults, and the settings of the start; the clock goes on."""
    emulator.settings(batch_seconds=5, errored_rate=0.5)
    finished(client, emulator, requests(3))
    emulator.inject("spend_cap", times=-1)
    now = emulator.now()
    emulator.reset()
    assert list(client.messages.batches.list()) == []
    assert (emulator.bill(), emulator.faults()) == ([], [])
    assert emulator.call_summary()["total"] == 1
    assert emulator.settings()["batch_seconds"] == 90
    assert emulator.now() == now


def test_it_says_what_it_is(emulator: RunningEmulator) -> None:
    """GET / and GET /_healthz, without a key."""
    with urllib.request.urlopen(emulator.base_url + "/") as answer:
        assert json.load(answer)["name"] == "claude_api"
    with urllib.request.urlopen(emulator.base_url + "/_healthz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_it_listens_and_ends_on_a_signal(tmp_path: Path, number: int) -> None:
    """One line on stdout, a clean exit, and no files left behind."""
    command = [
        sys.executable,
        "-m",
        "batchdrop.local.claude_api",
        "--speed",
        "0",
        "--batch-seconds",
        "7",
        "--state-dir",
    ]
    with subprocess.Popen([*command, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("claude_api listening on http://127.0.0.1:")
        emulator = Emulator(line.split()[-1])
        assert emulator.settings()["batch_seconds"] == 7
        with Anthropic(api_key="k", base_url=emulator.base_url) as client:
            client.messages.create(**params("x"))
        process.send_signal(number)
        assert process.stdout.read() == ""
        assert process.wait(10) == 0
    assert list(tmp_path.iterdir()) == []


def test_wrong_flags_are_reported(tmp_path: Path) -> None:
    """Exit code 2 and the reason, not a traceback."""
    command = [sys.executable, "-m", "batchdrop.local.claude_api", "--errored-rate", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 2
    assert "errored_rate" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_emulator_imports_nothing_of_the_product() -> None:
    """It is the judge: neither the product, nor the command line, nor the SDK is loaded with it."""
    code = (
        "import sys, batchdrop.local.claude_api.__main__, batchdrop.local.claude_api.testing\n"
        "own = ('batchdrop', 'batchdrop.local')\n"
        "seen = [name for name in sys.modules if name.split('.')[0] in ('batchdrop', 'anthropic', 'boto3')]\n"
        "print([name for name in seen if name not in own and not name.startswith('batchdrop.local.claude_api')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
