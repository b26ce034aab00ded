"""Chat messages in OpenAI's form: their models, the templates in them, and messages that are given as values."""
