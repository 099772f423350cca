"""`make invoke`: one built function with its event, against a running `batchdrop up`."""
