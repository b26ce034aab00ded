"""A project's own settings of its traffic, and the rules that map calls without a prompt to one."""
