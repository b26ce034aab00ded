"""`promptuary demo`: the loop, a judge beside people, and traffic."""
