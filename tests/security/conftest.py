"""The functions' world, as in tests/functions."""

from tests.functions.conftest import emulator, functions

__all__ = ["emulator", "functions"]
