"""Use batchdrop from Python: `batchdrop.run`, `batchdrop.ask` and `batchdrop.Stack`."""
