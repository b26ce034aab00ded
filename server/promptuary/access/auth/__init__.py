"""Authentication of requests, the scope that a route declares, and database slots."""
