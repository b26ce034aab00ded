"""How long contents and counters of production calls are stored."""
