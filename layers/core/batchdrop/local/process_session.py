"""The processes of one session: who is in it, and how to end all of them.

The supervisor is the leader of a session of its own. Nothing it starts leaves that session, so membership
finds every process of a stack, also one whose parent has died and that has therefore left the tree.
"""

import os
import time
from collections.abc import Callable

import psutil

_POLL_SECONDS = 0.02


def other_members() -> list[psutil.Process]:
    """The living processes of the calling process's session, without itself. Zombies are not alive."""
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
    """End every other process of this session: SIGTERM, `grace_seconds` later SIGKILL, until none is left.

    Processes that appear meanwhile are ended too. Returns the ids of those still alive after `kill_seconds`
    of SIGKILL; empty but for processes stuck in the kernel.
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
