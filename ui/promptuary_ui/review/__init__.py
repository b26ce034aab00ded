"""The review card and its routes."""
