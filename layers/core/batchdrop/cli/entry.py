"""The console script: it handles signals before the imports, which take a second."""

from __future__ import annotations

import signal

TYPE_CHECKING = False  # without the import of `typing`, Ctrl-C is handled sooner
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130


def main() -> None:
    """Run a command. It ends with its parent if BATCHDROP_EXIT_WITH_PARENT names one, as `make demo` does."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)  # Ctrl-C during the imports shows no traceback
    from batchdrop.cli.main import app
    from batchdrop.local.exit_with_parent import exit_with_parent_if_requested

    exit_with_parent_if_requested()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        app()
    except KeyboardInterrupt:  # before or after the command's own work
        raise SystemExit(INTERRUPTED) from None


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
