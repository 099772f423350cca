"""A strict, stateful and nasty emulator of the Claude API: Messages and Message Batches.

It imports nothing from batchdrop, so that it can judge batchdrop. See README.md for the control endpoints, the faults
and the magic words. Tests start one with `batchdrop.local.claude_api.testing`.
"""
