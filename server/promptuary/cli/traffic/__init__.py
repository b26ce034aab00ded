"""Commands about production traffic."""
