"""The version of Micro; setup.cfg reads it too."""

__version__ = "4.0.0"
