"""What a suite evaluates: a target answers a case under a variant. The prompt target renders a version and calls a model."""
