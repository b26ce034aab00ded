"""Prompt versions as the client receives, verifies and renders them."""
