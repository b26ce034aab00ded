"""A request of the intake as it came, and its reading: the body is decompressed and decoded where the intake runs."""

import zlib
from dataclasses import dataclass
from enum import StrEnum

from promptuary.core.errors import BodyTooLarge, MalformedBody
from promptuary.core.settings import Settings
from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.intake.observations.reading import read_observations
from promptuary.traffic.otlp.logs import read_logs
from promptuary.traffic.otlp.traces import read_traces
from promptuary.traffic.otlp.wire.spans import ReadingLimits

_GZIP = 16 + zlib.MAX_WBITS


class RequestKind(StrEnum):
    """What a body contains."""

    TRACES = "traces"
    LOGS = "logs"
    OBSERVATIONS = "observations"


@dataclass(frozen=True, slots=True)
class IntakeRequest:
    """A request whose sender is known.

    Attributes:
        project: the project's number.
        kind: what the body contains.
        body: as it was sent.
        is_json: whether it is JSON; else it is protobuf.
        is_gzip: whether it is compressed.
    """

    project: int
    kind: RequestKind
    body: bytes
    is_json: bool = True
    is_gzip: bool = False


def read_request(request: IntakeRequest, settings: Settings) -> TrafficReading:
    """Return what a request contains.

    Args:
        request: the request.
        settings: contain the limits of the decompressed body and of its spans.

    Raises:
        MalformedBody, BodyTooLarge, InvalidRequest: for a body that cannot be read.
    """
    body = decompress(request.body, settings.traffic_body_limit) if request.is_gzip else request.body
    limits = ReadingLimits(spans=settings.traffic_span_limit)
    match request.kind:
        case RequestKind.TRACES:
            return read_traces(body, request.is_json, limits)
        case RequestKind.LOGS:
            return read_logs(body, request.is_json, limits)
        case RequestKind.OBSERVATIONS:
            return read_observations(body)


def decompress(body: bytes, limit: int) -> bytes:
    """Return a gzip body decompressed; it is not decompressed beyond the limit.

    Raises:
        MalformedBody: for bytes that are not gzip, are cut, or have others behind them.
        BodyTooLarge: for a body over the limit.
    """
    decompressor = zlib.decompressobj(_GZIP)
    try:
        plain = decompressor.decompress(body, limit + 1)
    except zlib.error:
        raise MalformedBody("the body is not gzip, as its Content-Encoding has it; send it plain, or compressed") from None
    if len(plain) > limit:
        raise BodyTooLarge.over(limit)
    if not decompressor.eof:
        raise MalformedBody("the compressed body ends too early; send all of it")
    if decompressor.unused_data:
        raise MalformedBody("the compressed body has bytes behind its end; send one gzip member")
    return plain
