"""API keys as they are stored, and the people whose they are."""
