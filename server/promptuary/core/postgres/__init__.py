"""Connections to PostgreSQL with limits on every wait, and what the process knows of a server that does not answer."""
