"""The prompt in use: which one the spans that start now belong to."""
