"""Runs that outlive a request: the job table, and what is done with jobs."""
