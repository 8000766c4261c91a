"""Checks plugins without a transport."""
