"""Measure the functions' processes: peak memory and CPU time."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_FUNCTION_NAME_ENV = "AWS_LAMBDA_FUNCTION_NAME"
_LINUX_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class FunctionStats:
    """All processes of one function. `peak_rss_mb` (MiB) is the peak of the largest one."""

    function: str
    peak_rss_mb: float
    cpu_seconds: float
    processes: int


@dataclass
class _ProcessSample:
    function: str
    peak_rss: int = 0
    cpu_seconds: float = 0.0


class FunctionSampler:
    """Samples the processes that run a function.

    On Linux, the kernel's high-water mark is read, so no peak between two samples is missed. Elsewhere, the peak is the
    largest sample.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[int, float], _ProcessSample | None] = {}

    def sample(self, processes: list[psutil.Process]) -> None:
        """Read memory and CPU time of each process that runs a function."""
        for process in processes:
            try:
                self._sample(process)
            except (psutil.Error, OSError):
                continue

    def _sample(self, process: psutil.Process) -> None:
        key = (process.pid, process.create_time())
        if self._samples.get(key) is None:
            # Retried until it has a name: the process may not run its bootstrap yet.
            function = process.environ().get(_FUNCTION_NAME_ENV)
            self._samples[key] = _ProcessSample(function) if function else None
        found = self._samples[key]
        if found is not None:
            times = process.cpu_times()
            found.cpu_seconds = times.user + times.system
            found.peak_rss = max(found.peak_rss, _peak_rss(process))

    def stats(self) -> list[FunctionStats]:
        """Return the statistics so far, by function name."""
        by_function: dict[str, list[_ProcessSample]] = {}
        for found in self._samples.values():
            if found is not None:
                by_function.setdefault(found.function, []).append(found)
        return [
            FunctionStats(
                function,
                round(max(one.peak_rss for one in all_of_it) / 2**20, 1),
                round(sum(one.cpu_seconds for one in all_of_it), 2),
                len(all_of_it),
            )
            for function, all_of_it in sorted(by_function.items())
        ]


def _peak_rss(process: psutil.Process) -> int:
    try:
        found = _LINUX_PEAK.search(Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        found = None
    rss: int = process.memory_info().rss
    return max(rss, int(found.group(1)) * 1024) if found else rss


def write_stats(stats: list[FunctionStats], path: Path) -> None:
    """Write the statistics atomically, so that a reader never sees half of them."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(one) for one in stats]))
    partial.replace(path)


def read_stats(path: Path) -> list[FunctionStats]:
    """Return the statistics last written; empty if there are none."""
    try:
        return [FunctionStats(**one) for one in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
