"""Cold starts: the import of each function's handler, alone, with its AWS clients, and with its connection to the API.

    python -m benchmarks.cold_start [--quick] [--runs 5]

The code is compiled like in the layer's Makefile (unchecked hashes), so nothing is compiled at a start. The SDK is
imported for comparison.
"""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.findings import begin, scratch

ROOT = Path(__file__).parent.parent
HANDLER = "answer_requests"
SECONDS = 0.5
LIVE = ("object_store", "ledger", "leases", "permits", "progress_board")
BUILT = {
    "split_upload": ("object_store", "job_starter"),
    "submit_shard": ("object_store", "ledger"),
    "settle_submission": ("ledger",),
    "poll_batch": ("ledger",),
    "collect_results": ("object_store", "ledger"),
    "close_job": ("object_store", "ledger"),
    "guard_retention": ("ledger",),
    "plan_slices": ("object_store", "ledger"),
    "answer_requests": LIVE,
}
BATCHES, MESSAGES = "batchdrop.adapters.claude.create_batch", "batchdrop.adapters.claude.messages"
READS = "batchdrop.adapters.claude.read_batches"
API = dict.fromkeys(("settle_submission", "poll_batch", "collect_results"), READS)
API["submit_shard"] = BATCHES
API["answer_requests"] = MESSAGES
PROGRAM = """
import importlib, importlib.util, json, sys, time
from pathlib import Path
def rss():
    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024
def timed(work):
    began = time.process_time(); work(); return time.process_time() - began
def handler():
    spec = importlib.util.spec_from_file_location('app', {path!r})
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
def clients():
    from batchdrop import bootstrap
    for name in {built!r}:
        getattr(bootstrap, name)()
found = {{'cpu_s': timed(handler), 'peak_rss_mb': rss(), 'modules': len(sys.modules)}}
found['with clients, cpu_s'] = found['cpu_s'] + timed(clients)
found['with the API, cpu_s'] = found['with clients, cpu_s'] + timed(lambda: importlib.import_module({api!r}))
found['with all, peak_rss_mb'] = rss()
print(json.dumps(found))
"""
SDK = """
import json, sys, time
from pathlib import Path
began = time.process_time(); import anthropic; cpu = time.process_time() - began
rss = int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024
print(json.dumps({'cpu_s': cpu, 'peak_rss_mb': rss, 'modules': len(sys.modules), 'with clients, cpu_s': cpu,
                  'with the API, cpu_s': cpu, 'with all, peak_rss_mb': rss}))
"""


def compiled(folder: Path) -> Path:
    """Copy the application and compile it as in the layer; return the folder to import it from."""
    target = folder / "python"
    shutil.copytree(ROOT / "layers/core/batchdrop", target / "batchdrop", ignore=shutil.ignore_patterns("__pycache__"))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(target, quiet=1, invalidation_mode=mode)
    return target


def started(program: str, python: Path) -> dict[str, float]:
    """Run a program in a separate process; return its figures."""
    environment = {**os.environ, **_variables(), "PYTHONPATH": str(python)}
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def functions() -> list[str]:
    """Return the functions' names."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def program_of(function: str) -> str:
    """Return a program that imports a handler and builds its clients."""
    path = str(ROOT / "functions" / function / "app.py")
    return PROGRAM.format(path=path, built=BUILT.get(function, ("ledger",)), api=API.get(function, "batchdrop"))


def _variables() -> dict[str, str]:
    from tests.functions.lambdas import declared_variables

    names = {name for function in functions() for name in declared_variables(function)}
    return dict.fromkeys(names, "1") | {
        "POWERTOOLS_LOG_LEVEL": "INFO", "POWERTOOLS_TRACE_DISABLED": "true", "AWS_ENDPOINT_URL": "",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
    }  # fmt: skip


def main() -> int:
    """Measure each function."""
    found = begin("cold_start", "Cold starts: import of each handler, alone and with its AWS clients", runs=5)
    with scratch() as folder:
        python = compiled(folder)
        programs = {name: program_of(name) for name in functions() if found.scale != "smoke" or name == HANDLER}
        programs["import anthropic, for comparison"] = SDK
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        for _ in range(found.runs):
            for name, program in programs.items():
                samples[name].append(started(program, python))
    for name, taken in samples.items():
        found.line(name, "", {key: round(statistics.median(one[key] for one in taken), 3) for key in taken[0]})
    handler = next(line for line in found.lines if line["case"] == HANDLER)
    found.bar("answer_requests: CPU seconds of the handler's import", handler["cpu_s"], SECONDS, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
