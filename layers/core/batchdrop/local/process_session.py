"""Find and end the processes of one session.

The supervisor leads a session of its own, and none of its processes leaves it. So the session finds every process of
a stack, even one whose parent has died.
"""

import os
import time
from collections.abc import Callable

import psutil

_POLL_SECONDS = 0.02


def other_members() -> list[psutil.Process]:
    """Return the running processes of this process's session, without itself and without zombies."""
    session, own = os.getsid(0), os.getpid()
    members = (_member(pid, session) for pid in psutil.pids() if pid != own)
    return [process for process in members if process is not None]


def _member(pid: int, session: int) -> psutil.Process | None:
    try:
        if os.getsid(pid) != session:
            return None
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (OSError, psutil.Error):
        return None


def end_others(*, grace_seconds: float, kill_seconds: float = 5.0) -> list[int]:
    """End every other process of this session: SIGTERM, then SIGKILL after `grace_seconds`, until none is left.

    New processes are ended, too. Return the ids of processes that survive `kill_seconds` of SIGKILL: only those that
    hang in the kernel.
    """
    _signal_all(psutil.Process.terminate)
    if not _gone_within(grace_seconds, again=None):
        _gone_within(kill_seconds, again=psutil.Process.kill)
    return [process.pid for process in other_members()]


def _gone_within(seconds: float, *, again: Callable[[psutil.Process], None] | None) -> bool:
    deadline = time.monotonic() + seconds
    while other_members():
        if time.monotonic() > deadline:
            return False
        if again is not None:
            _signal_all(again)
        time.sleep(_POLL_SECONDS)
    return True


def _signal_all(send: Callable[[psutil.Process], None]) -> None:
    for process in other_members():
        try:
            send(process)
        except psutil.Error:
            continue
