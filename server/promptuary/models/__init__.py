"""Chat models by name, their connections, the local server, and calls."""
