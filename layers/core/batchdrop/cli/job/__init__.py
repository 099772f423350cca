"""Commands and views of jobs."""
