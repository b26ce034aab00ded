"""Events of prompts: what they are, their rows, and the stream of them."""
