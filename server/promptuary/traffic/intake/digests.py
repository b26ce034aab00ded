"""Keys of 64 bits for what is looked up with every report. Pure."""

from hashlib import blake2b


def digest_of(project: int, *parts: str) -> int:
    """Return 64 bits of the digest of a project and some texts, as a signed integer.

    Among 100 million keys, the chance that a new one equals another is below 10^-11: far fewer calls are lost by it than by
    any network. Keys of different projects differ, too.
    """
    text = "\0".join((str(project), *parts))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


def key_digest(project: int, key: str) -> int:
    """Return the digest by which a repeated report of a call is recognized."""
    return digest_of(project, "key", key)


def span_key(trace_id: str, span_id: str) -> str:
    """Return the key of a call that is reported as a span."""
    return f"{trace_id}{span_id}"


def response_digest(project: int, response_id: str) -> int:
    """Return the digest by which two reports of one call are recognized."""
    return digest_of(project, "response", response_id)


def span_digest(project: int, trace_id: str, span_id: str) -> int:
    """Return the digest under which a span waits."""
    return digest_of(project, "span", trace_id, span_id)
