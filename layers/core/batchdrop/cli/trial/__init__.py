"""`batchdrop try`: answers to a few rows at once, without a stack."""
