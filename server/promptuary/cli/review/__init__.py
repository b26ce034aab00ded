"""`promptuary review`: queues filled from runs, their progress, the reviewers' agreement, and the decisions."""
