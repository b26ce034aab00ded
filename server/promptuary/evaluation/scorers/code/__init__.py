"""Scorers that run a user's own code: Python in a child process, or a service behind a webhook."""
