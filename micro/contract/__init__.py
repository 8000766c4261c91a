"""The contract of a plugin: what run() takes and returns, checked, and as JSON Schema."""
