"""The results of a job: filter, sort and count millions of rows on this machine, in bounded memory."""
