"""Exports: the decisions of a queue as a file, each with the label that counts for its item."""
