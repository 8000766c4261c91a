"""The SQL table of jobs."""
