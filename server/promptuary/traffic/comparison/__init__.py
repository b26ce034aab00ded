"""Two versions of a prompt side by side in production."""
