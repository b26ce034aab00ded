"""Conversations: the turns of a case, the results of its tools, and what a target exchanges with a model in each turn. Pure."""
