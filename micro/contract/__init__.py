"""The contract of a plugin: JSON Schema and validation of what run() takes and returns."""
