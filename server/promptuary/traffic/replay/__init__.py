"""Sampled calls as cases: datasets made of them, and suites that are run on them."""
