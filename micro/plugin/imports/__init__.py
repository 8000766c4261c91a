"""Imports plugin folders, each as a namespace of its own."""
