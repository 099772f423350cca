"""The embedded stack: everything a job needs, on one machine, without an account."""
