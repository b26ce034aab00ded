"""The worker: a process that does runs and delivers what the outbox holds; as many as there is work for."""
