"""The prompt routes of the Langfuse SDK."""
