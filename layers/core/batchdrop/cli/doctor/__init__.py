"""`batchdrop doctor`: find what keeps jobs from running, and say how to fix it."""
