"""Starts, watches and stops child processes; knows nothing of plugins."""
