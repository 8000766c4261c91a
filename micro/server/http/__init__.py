"""The HTTP server: gunicorn's processes, uvicorn's connections, and the bridge to the Flask application."""
