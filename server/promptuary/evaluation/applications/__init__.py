"""The definitions of applications: over HTTP, a Python function, a command, outputs that are there already. Pure."""
