"""Prompts, their versions, and the labels that point at them."""
