"""The HTML pages: the status of a running job, and the report of a job that ended."""
