"""What a plugin is, and where it comes from."""
