"""What a Celery node does for jobs: run, watch, record, clean up."""
