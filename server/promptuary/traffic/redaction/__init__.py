"""What is removed from the contents of calls and feedback before anything stores them. Pure."""
