"""A strict, stateful and nasty emulator of the Claude API: Messages and Message Batches.

It imports nothing of the product, so that it can judge it. See README.md for the control endpoints, the faults and
the magic words; `batchdrop.local.claude_api.testing` starts one inside a test.
"""
