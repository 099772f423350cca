"""`batchdrop doctor`: what keeps jobs from running, and what to do about it."""
