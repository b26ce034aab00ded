"""The reports of a run for people, CI and programs, made of its typed results without a database or a network."""
