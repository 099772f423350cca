"""`batchdrop compare`: several recipes on the same random rows."""
