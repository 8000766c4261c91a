"""The processes of Micro: REST server, Celery workers, embedded broker, and what watches them."""
