"""The live lane: the Messages API."""
