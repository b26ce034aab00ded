"""The HTTP service: one composition root, problem+json everywhere, and nothing of the business."""
