"""Prompts by meaning and by text, and prompts that are similar to each other."""
