"""Programs that measure batchdrop against the obvious alternatives."""
