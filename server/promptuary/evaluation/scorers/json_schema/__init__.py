"""JSON Schemas of scorers: compiled once, local, and evaluated within limits, by the standard or by Ajv's rules."""
