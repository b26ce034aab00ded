"""Routes that the Langfuse SDK speaks."""
