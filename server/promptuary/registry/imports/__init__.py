"""The history of prompts from another server, imported."""
