"""The execution of a leased run: work items, runner, accounting, Ray."""
