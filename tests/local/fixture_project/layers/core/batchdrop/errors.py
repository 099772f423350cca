"""Errors whose class names the state machine catches."""


class ShardBusyError(Exception):
    """Asked again by the state machine."""


class ShardBrokenError(Exception):
    """Caught by the state machine."""
