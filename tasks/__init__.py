"""The wire: the Celery app, its routes, names, limits and retry policy. A task body is one call."""
