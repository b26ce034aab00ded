"""Typed models of what the API answers, as far as the pages show it."""
