"""Scorers: what each type takes, how it is built, and how scores are combined. `catalog` lists the types."""
