"""The parts that keep and watch processes, one by one."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from batchdrop.local import parent_watchdog
from batchdrop.local.child_environment import base_environment, ministack_environment
from batchdrop.local.function_stats import FunctionSampler, read_stats, write_stats
from batchdrop.local.stack_spec import StackReport, StackSpec
from tests.local.polling import eventually

WATCHDOG_FILE = Path(parent_watchdog.__file__)
SLEEPER = "import sys, time\nprint(*sys.argv[1:], flush=True)\ntime.sleep(600)\n"


def _watched(tmp_path: Path) -> "subprocess.Popen[str]":
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    environment = {"BATCHDROP_WATCHDOG": str(tmp_path / "watchdog"), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-P", str(WATCHDOG_FILE), "sleeper", "one", "two"]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)


def test_watchdog_runs_the_module_and_ends_it(tmp_path: Path) -> None:
    """The module gets its arguments, and ends when nobody holds the watchdog any more."""
    os.mkfifo(tmp_path / "watchdog")
    reader = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(tmp_path / "watchdog", os.O_WRONLY)
    process = _watched(tmp_path)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "one two\n"
    assert process.poll() is None
    os.close(writer)
    os.close(reader)
    assert process.wait(60) == 1


def test_watchdog_let_go_before_the_start(tmp_path: Path) -> None:
    """A process that starts after the supervisor's end does not wait for a writer that never comes."""
    os.mkfifo(tmp_path / "watchdog")
    process = _watched(tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 1


def test_watchdog_removed_before_the_start(tmp_path: Path) -> None:
    """Nor does one that finds no watchdog at all."""
    process = _watched(tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 1


def test_environment_leads_nowhere(tmp_path: Path) -> None:
    """Variables that lead to an account are dropped or point to nothing; the loopback is never proxied."""
    users = {"PATH": "/bin", "AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "t", "ANTHROPIC_API_KEY": "k"}
    users |= {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "intranet", "DOCKER_HOST": "tcp://docker"}
    base = base_environment(users, temp_dir=tmp_path, watchdog=tmp_path / "watchdog")
    own = ministack_environment(base, port=1234, wait_scale=0.5, identity="x", temp_dir=tmp_path)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "ANTHROPIC_API_KEY"} & set(own)
    assert own["AWS_CONFIG_FILE"] == own["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert own["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert own["HTTPS_PROXY"] == "http://proxy"
    assert str(tmp_path) in own["DOCKER_HOST"]
    assert own["BIND_HOST"] == "127.0.0.1"


def test_spec_and_report_round_trip(tmp_path: Path) -> None:
    """What one side writes the other reads."""
    for arguments in (None, (), ("--speed", "50")):
        spec = StackSpec(tmp_path, tmp_path / "logs", 0.02, None, arguments)
        assert StackSpec.from_line(spec.to_line()) == spec
    report = StackReport(endpoint_url="http://127.0.0.1:1", claude_base_url=None)
    assert StackReport.from_line(report.to_line()) == report


def test_sampler_sees_the_peak(tmp_path: Path) -> None:
    """A function's peak memory is known after it freed the memory (on Linux; elsewhere while it holds it)."""
    grows = "import sys; b = bytearray(200 << 20); del b; print('grown', flush=True); sys.stdin.read()"
    environment = os.environ | {"AWS_LAMBDA_FUNCTION_NAME": "grower"}
    process = subprocess.Popen(
        [sys.executable, "-c", grows], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    sampler = FunctionSampler()
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"grown\n"
        sampler.sample([psutil.Process(process.pid), psutil.Process()])
    finally:
        process.communicate()
    (stats,) = sampler.stats()
    assert (stats.function, stats.processes) == ("grower", 1)
    assert stats.peak_rss_mb > (200 if sys.platform == "linux" else 1)
    write_stats([stats], tmp_path / "stats.json")
    assert read_stats(tmp_path / "stats.json") == [stats]
    assert read_stats(tmp_path / "none.json") == []


def test_polling_gives_the_value() -> None:
    """`eventually` returns what it waited for."""
    values = iter([0, "", "found"])
    assert eventually(lambda: next(values)) == "found"
