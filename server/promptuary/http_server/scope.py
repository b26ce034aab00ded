"""What the front leaves in the ASGI scope of a request."""

from collections.abc import MutableMapping
from typing import Any

CONNECTION = "promptuary.connection"
"""The scope key of the request's connection."""


def trust_connection(scope: MutableMapping[str, Any]) -> None:
    """Record that a request has a valid key: its connection is not closed for another one, however long it waits."""
    connection = scope.get(CONNECTION)
    if connection is not None:
        connection.is_trusted = True
