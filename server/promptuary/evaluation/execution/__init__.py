"""The execution of runs: lease, resume, run the items, account for their costs, finish."""
