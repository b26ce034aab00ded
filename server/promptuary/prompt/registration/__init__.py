"""What a content must meet to be registered."""
