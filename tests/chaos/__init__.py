"""What is lost and what is answered while processes are killed, stopped and overloaded; `make chaos` runs it."""
