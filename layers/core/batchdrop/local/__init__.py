"""The embedded stack: everything that a job needs, on one machine, without an AWS account."""
