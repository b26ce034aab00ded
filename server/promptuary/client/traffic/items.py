"""What an application reported, as it waits in the queue. Nothing here converts values: that happens in the background."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

BASE_BYTES = 500
"""What an item is counted with beside its texts."""
CONTAINERS = ("variables", "input", "tool_calls", "comment", "correction")
"""The fields that may be large, or change after they were passed."""


class DropReason(StrEnum):
    """Why something that was reported does not reach the server."""

    FULL = "full"
    """The queue had as many items, or bytes, as it may."""
    CLOSED = "closed"
    """The client was closed."""
    INVALID = "invalid"
    """It cannot be written as JSON, or is over the limit of a request."""
    REFUSED = "refused"
    """The server refused it, for example for its key, or an unknown version of feedback."""
    UNSENT = "unsent"
    """The server did not take it within the time in which it is tried again, or before the process ended."""


@dataclass(frozen=True)
class TrafficCounts:
    """What became of the calls and feedback that this process reported.

    Attributes:
        sent: that the server took.
        queued: that wait, or are in a request.
        dropped: the others, by the value of a `DropReason`.
    """

    sent: int
    queued: int
    dropped: Mapping[str, int]


class QueuedItem:
    """One call or feedback: the path that takes it, its fields as they were passed, and about how many bytes they have."""

    __slots__ = ("fields", "path", "size")

    def __init__(self, path: str, fields: dict[str, Any]) -> None:
        """Copy what an application may change afterwards, one level deep, and estimate the size."""
        self.path = path
        size = BASE_BYTES
        output = fields.get("output")
        if type(output) is str:
            size += len(output)
        for name in CONTAINERS:
            value = fields.get(name)
            if value is None:
                continue
            if isinstance(value, dict):
                fields[name] = dict(value)
                size += _size(value.values())
            elif isinstance(value, list | tuple):
                fields[name] = [dict(item) if type(item) is dict else item for item in value]
                for item in value:
                    size += _size(item.values() if type(item) is dict else (item,))
            elif isinstance(value, str):
                size += len(value)
        self.fields = fields
        self.size = size


def _size(values: Iterable[Any], depth: int = 3) -> int:
    size = 0
    for value in values:
        if type(value) is str:
            size += len(value)
        elif depth and type(value) is list:
            size += _size(value, depth - 1)
        elif depth and type(value) is dict:
            size += _size(value.values(), depth - 1)
        else:
            size += 20
    return size


OBSERVATIONS = "/v1/observations"
FEEDBACK = "/v1/feedback"
LIST_NAMES: Mapping[str, str] = {OBSERVATIONS: "observations", FEEDBACK: "items"}
"""The member of the body that has the list, by path."""
PATHS: Sequence[str] = (OBSERVATIONS, FEEDBACK)
