"""Reviews: queues of items, claims that lease one item to one person, and decisions, each made once."""
