"""Micro's processes: the REST server, Celery workers and embedded broker, and their supervisor."""
