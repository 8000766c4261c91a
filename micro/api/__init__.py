"""How plugins are called: over REST and over Celery."""
