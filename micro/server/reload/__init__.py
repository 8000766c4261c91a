"""Brings changed plugins into service."""
