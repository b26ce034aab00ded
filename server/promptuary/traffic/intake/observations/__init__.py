"""Calls in the form of `POST /v1/observations`, as the client sends them."""
