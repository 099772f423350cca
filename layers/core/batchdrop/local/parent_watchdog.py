"""Run a Python module so that it cannot outlive the supervisor.

    python -P layers/core/batchdrop/local/parent_watchdog.py <module> [argument ...]

The supervisor holds the write end of a named pipe; its path is in BATCHDROP_WATCHDOG. Each process of the
stack runs its module through this file, which reads from that pipe in a thread. The kernel closes the
write end however the supervisor ends, SIGKILL included; the read then returns, and the process ends at
once. Nothing polls, and it works on Linux and on macOS alike. BATCHDROP_WATCHDOG_REMOVES names a directory to
remove first: the stack's, so that even then nothing is left on disk.

This file imports nothing of the project: it runs inside the functions' processes too.
"""

import os
import runpy
import shutil
import sys
import threading
import time

WATCHDOG_ENV = "BATCHDROP_WATCHDOG"
REMOVES_ENV = "BATCHDROP_WATCHDOG_REMOVES"

# Long enough for the other processes, which let go at the same moment, to write their last file.
_LET_OTHERS_END_SECONDS = 0.3


def end_with_supervisor(watchdog: str, removes: str | None = None) -> None:
    """Start the thread that ends this process as soon as nobody holds `watchdog` for writing."""
    threading.Thread(target=_end_when_released, args=(watchdog, removes), name="watchdog", daemon=True).start()


def _end_when_released(watchdog: str, removes: str | None) -> None:
    _wait_until_released(watchdog)
    if removes:
        time.sleep(_LET_OTHERS_END_SECONDS)
        shutil.rmtree(removes, ignore_errors=True)
    os._exit(1)


def _wait_until_released(watchdog: str) -> None:
    try:
        # Without O_NONBLOCK, open() would wait for a writer that may be gone already.
        pipe = os.open(watchdog, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(pipe, True)
        while os.read(pipe, 1):
            pass
    except OSError:
        return


def main() -> None:
    """Take the watchdog from the environment, if it is there, and become the module on the command line."""
    watchdog = os.environ.get(WATCHDOG_ENV)
    if watchdog:
        # Popped, not read: a function must not remove the whole stack's directory.
        end_with_supervisor(watchdog, os.environ.pop(REMOVES_ENV, None))
    module = sys.argv[1]
    del sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
