"""The jinja2 format: read by its library, checked against a list of what is allowed, and never run."""
