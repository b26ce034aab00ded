"""Chat models by name, and the calls of them."""
