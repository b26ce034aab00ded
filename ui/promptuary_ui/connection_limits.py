"""The limits of the UI server's connections: those of the API's server, by the same code.

It is the one part of `promptuary` that the UI imports; it knows uvicorn alone.
"""

from promptuary.http_server.bounded_server import protocol_within_descriptors
from promptuary.http_server.limits import ConnectionLimits


def limit_connections(limits: ConnectionLimits) -> None:
    """Limit the connections of every server of this process that uvicorn runs.

    Streamlit configures uvicorn itself and has no option for the protocol, so uvicorn's default is replaced.
    """
    from uvicorn import config

    config.HTTP_PROTOCOLS["auto"] = protocol_within_descriptors(limits)  # type: ignore[assignment]  # a class is taken, too
