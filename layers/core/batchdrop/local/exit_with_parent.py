"""End this process when the one that started it is gone.

`make demo` killed with SIGKILL tells its child nothing, and a command left alone would keep the stack
running.
"""

import os
import signal
import threading
import time

import psutil

EXIT_WITH_PARENT_ENV = "BATCHDROP_EXIT_WITH_PARENT"
_POLL_SECONDS = 0.25
_GRACE_SECONDS = 5.0


def exit_with_parent_if_asked() -> bool:
    """Watch from now on, if BATCHDROP_EXIT_WITH_PARENT is the id of an ancestor. Returns whether it does.

    Everything between that ancestor and this process is watched too (`sh`, `uv run`), because those outlive a
    killed `make`. On the end of one of them this process gets SIGTERM, and is ended for good 5 s later; at once
    if the ancestor is none any more, for then it ended while this process was starting.
    """
    asked = os.environ.get(EXIT_WITH_PARENT_ENV, "")
    if not asked.isdecimal():
        return False
    watched = _up_to(int(asked), psutil.Process().parents())
    threading.Thread(target=_exit_after, args=(watched,), name="exit-with-parent", daemon=True).start()
    return True


def _up_to(pid: int, ancestors: list[psutil.Process]) -> list[psutil.Process]:
    """The ancestors from the parent to the one with this id; none if it is not among them."""
    pids = [ancestor.pid for ancestor in ancestors]
    return ancestors[: pids.index(pid) + 1] if pid in pids else []


def _exit_after(watched: list[psutil.Process]) -> None:
    while watched and all(_is_alive(process) for process in watched):
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(128 + signal.SIGTERM)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
