"""The pages for people: a job that ended, and one that runs."""
