"""Authentication of requests, the scope and unit of work of a route, replay of retried writes, and database slots."""
