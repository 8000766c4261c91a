"""Jobs: runs that outlive a request. The job table, and every operation on it."""
