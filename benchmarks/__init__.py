"""Benchmarks of batchdrop against the obvious alternatives."""
