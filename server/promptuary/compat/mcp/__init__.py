"""Prompts for programs that speak the Model Context Protocol: `POST /mcp`, stateless, with JSON responses."""
