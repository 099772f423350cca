"""`make invoke`: run one built function with its event, against a running `batchdrop up`."""
