"""Plugins: their base classes, hooks, loading and execution."""
