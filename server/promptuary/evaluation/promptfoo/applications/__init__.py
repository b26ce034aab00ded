"""Providers of promptfoo files that are applications: over HTTP, a Python file, a command."""
