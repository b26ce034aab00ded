"""Tokens that others issue: identity providers of people, and the platforms that pipelines run on."""
