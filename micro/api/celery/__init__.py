"""Celery: the application, its tasks and its consumer."""
