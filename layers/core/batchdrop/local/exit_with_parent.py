"""End this process when the process that started it is gone.

A `make demo` that is killed with SIGKILL cannot stop its child, and the child would keep the stack running.
"""

import os
import signal
import threading
import time

import psutil

EXIT_WITH_PARENT_ENV = "BATCHDROP_EXIT_WITH_PARENT"
_POLL_SECONDS = 0.25
_GRACE_SECONDS = 5.0


def exit_with_parent_if_requested() -> bool:
    """Start watching, if BATCHDROP_EXIT_WITH_PARENT is the id of an ancestor. Return whether it does.

    The processes between that ancestor and this one (`sh`, `uv run`) are watched, too, because they outlive a killed
    `make`. If one of them ends, this process gets SIGTERM, and SIGKILL 5 s later. If the ancestor is already gone, this
    process ends immediately.
    """
    parent_id = os.environ.get(EXIT_WITH_PARENT_ENV, "")
    if not parent_id.isdecimal():
        return False
    watched = _up_to(int(parent_id), psutil.Process().parents())
    threading.Thread(target=_exit_after, args=(watched,), name="exit-with-parent", daemon=True).start()
    return True


def _up_to(pid: int, ancestors: list[psutil.Process]) -> list[psutil.Process]:
    """Return the ancestors from the parent to the one with this id; empty if it is not an ancestor."""
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
