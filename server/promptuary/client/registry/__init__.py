"""Calls to the registry beside lookups: writing, listing and searching. Nothing of them is cached."""
