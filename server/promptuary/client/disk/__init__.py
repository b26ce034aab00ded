"""Copies on disk for a restart without the server."""
