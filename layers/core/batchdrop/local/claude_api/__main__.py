"""Run the emulator: `python -m batchdrop.local.claude_api [--port 8080] [--speed 60] ...`."""

import argparse
import asyncio
import signal
import socket
import sys
from pathlib import Path

import msgspec

from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.server import EmulatorServer, listening_socket
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState

_READY = "claude_api listening on "


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; print one line with the address when ready."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    host, port, folder = options.pop("host"), options.pop("port"), options.pop("state_dir")
    try:
        settings = msgspec.convert({name: value for name, value in options.items() if value is not None}, Settings)
    except msgspec.ValidationError as error:
        parser.error(str(error))
    try:
        listener = listening_socket(host, port)
    except OSError as error:
        parser.error(f"cannot listen on {host}:{port}: {error}")
    state = EmulatorState(settings, folder=folder)
    try:
        asyncio.run(_serve(state, listener, host))
    finally:
        state.close()
    return 0


async def _serve(state: EmulatorState, listener: socket.socket, host: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    server = EmulatorServer(create_app(state), on_start=lambda: print(_READY + address, flush=True))  # noqa: T201 - its starter waits for this line
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batchdrop.local.claude_api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--state-dir", type=Path, help="folder for the spool files; deleted at the end")
    for field in msgspec.structs.fields(Settings):
        flag = f"--{field.name.replace('_', '-')}"
        default = msgspec.to_builtins(getattr(Settings(), field.name))
        if isinstance(default, list) or default is None:
            parser.add_argument(flag, nargs="*", help=f"default: {default}")
        elif isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(flag, type=type(default), help=f"default: {default}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
