"""The ledger in one file, for an embedded stack whose state must survive a kill."""
