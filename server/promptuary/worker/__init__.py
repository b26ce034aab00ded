"""The worker: a process that executes runs, submits scheduled ones and delivers the outbox. Any number may run at once."""
