"""Where a queue's items come from: a run's results and pairs of them, by priority and in random slices."""
