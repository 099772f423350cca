"""Run a Python module that ends with the supervisor.

    python -P layers/core/batchdrop/local/parent_watchdog.py <module> [argument ...]

The supervisor holds the write end of a named pipe; BATCHDROP_WATCHDOG has its path. Each process of the stack runs its
module through this file, and a thread reads from the pipe. When the supervisor ends, even by SIGKILL, the kernel closes
the write end; the read returns, and the process ends. This needs no polling, and works on Linux and macOS. The process
first removes the stack's directory, if BATCHDROP_WATCHDOG_REMOVES names it, so that nothing is left on disk.

This file imports nothing of the project: it also runs in the functions' processes.
"""

import os
import pathlib
import runpy
import shutil
import sys
import threading
import time

WATCHDOG_ENV = "BATCHDROP_WATCHDOG"
REMOVES_ENV = "BATCHDROP_WATCHDOG_REMOVES"
CALLS_ENV = "BATCHDROP_AWS_CALLS"  # of a function: the file that its AWS calls are recorded in

# Long enough for the other processes, which end at the same time, to write their last file.
_LET_OTHERS_END_SECONDS = 0.3


def end_with_supervisor(watchdog: str, removes: str | None = None) -> None:
    """Start the thread that ends this process when no process has `watchdog` open for writing."""
    threading.Thread(target=_end_when_released, args=(watchdog, removes), name="watchdog", daemon=True).start()


def _end_when_released(watchdog: str, removes: str | None) -> None:
    _wait_until_released(watchdog)
    if removes:
        time.sleep(_LET_OTHERS_END_SECONDS)
        shutil.rmtree(removes, ignore_errors=True)
    os._exit(1)


def _wait_until_released(watchdog: str) -> None:
    try:
        # Without O_NONBLOCK, open() would wait for a writer that may already be gone.
        pipe = os.open(watchdog, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(pipe, True)
        while os.read(pipe, 1):
            pass
    except OSError:
        return


def main() -> None:
    """Start the watchdog that the environment names, if any, and run the module on the command line."""
    watchdog = os.environ.get(WATCHDOG_ENV)
    if watchdog:
        # Popped, because a function must not remove the whole stack's directory.
        end_with_supervisor(watchdog, os.environ.pop(REMOVES_ENV, None))
    calls = os.environ.get(CALLS_ENV)
    if calls and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        recorder = runpy.run_path(str(pathlib.Path(__file__).with_name("aws_call_recorder.py")))
        recorder["record"](calls)
    module = sys.argv[1]
    del sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
