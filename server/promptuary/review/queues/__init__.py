"""Queues of items: what they ask, who decides in them, and how they are filled."""
