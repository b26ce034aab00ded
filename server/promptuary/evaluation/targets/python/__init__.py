"""Applications that are a Python function: called in child processes, which contain nothing of this program."""
