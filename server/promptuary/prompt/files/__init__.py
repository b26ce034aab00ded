"""Prompt files and bundles: YAML and JSON read strictly and written for people."""
