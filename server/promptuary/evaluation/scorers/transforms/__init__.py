"""Transforms: what is made of an output before it is scored, at the model, the suite, the case or one scorer."""
