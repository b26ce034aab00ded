"""Which URLs an image may have. Promptuary never fetches one; the check keeps a model's provider from other schemes."""

import re

_URL = re.compile(r"https://[^\s/?#]\S*|data:[^\s,]*,\S*", re.IGNORECASE)
_BEGINNINGS = ("https://", "data:")
REFUSAL = "must be an https: URL or a data: URL"


def is_image_url(url: str) -> bool:
    """Return whether a URL is an `https:` or `data:` URL, without white space."""
    return _URL.fullmatch(url) is not None


def may_begin_image_url(beginning: str) -> bool:
    """Return whether a URL of which only the beginning is known can still become one that is accepted."""
    lowered = beginning.lower()
    return any(lowered.startswith(scheme) or scheme.startswith(lowered) for scheme in _BEGINNINGS)
