"""What a model call in production is, whichever emitter reported it. Pure."""
