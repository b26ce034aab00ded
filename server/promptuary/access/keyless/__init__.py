"""Keys for pipelines without a stored secret: a platform's token is exchanged for a short key, by a rule."""
