"""The parts of the agreement page: the figures, and the disagreements with their adjudication."""
