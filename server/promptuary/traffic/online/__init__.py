"""What is done with a prompt's sample by itself: queues of reviewers that calls are sent to, and scores of settled calls."""
