"""Checks of the shop's answers."""


def get_assert(output, context):
    """Return whether the answer says where to park, and how sure that is."""
    return {"pass": "behind" in output, "score": 0.75, "reason": "the place is named"}
