"""Settings: what they are, where they come from, and which of them are secret."""
