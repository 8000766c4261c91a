"""The transports that call plugins: REST (Flask) and Celery."""
