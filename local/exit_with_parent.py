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
_MAKES = frozenset({"make", "gmake"})


def exit_with_parent_if_asked() -> bool:
    """Watch from now on, if BATCHDROP_EXIT_WITH_PARENT=1. Returns whether it does.

    Under `make`, everything between it and this process is watched too (`sh`, `uv run`), because those
    outlive a killed `make`. On the end of one of them this process gets SIGTERM, and is ended for good 5 s
    later.
    """
    if os.environ.get(EXIT_WITH_PARENT_ENV) != "1":
        return False
    watched = _ancestors_to_watch(psutil.Process().parents())
    threading.Thread(target=_exit_after, args=(watched,), name="exit-with-parent", daemon=True).start()
    return True


def _ancestors_to_watch(ancestors: list[psutil.Process]) -> list[psutil.Process]:
    """From the parent up to the nearest `make`; the parent alone if there is none."""
    for count, ancestor in enumerate(ancestors, start=1):
        if _name(ancestor) in _MAKES:
            return ancestors[:count]
    return ancestors[:1]


def _name(process: psutil.Process) -> str:
    try:
        name: str = process.name()
    except psutil.Error:
        return ""
    return name


def _exit_after(watched: list[psutil.Process]) -> None:
    # Without a parent at the start, it has ended already.
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
