"""Prompt files of other registries and libraries, read as data and made into ours; nothing in them is ever run."""
