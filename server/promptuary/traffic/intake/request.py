"""A request of the intake as it came, and its reading: the body is decompressed and decoded where the intake runs."""

import zlib
from dataclasses import dataclass
from enum import StrEnum

from promptuary.core.errors import BodyTooLarge, MalformedBody
from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.intake.observations.reading import read_observations

_GZIP = 16 + zlib.MAX_WBITS


class RequestKind(StrEnum):
    """What a body contains."""

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


def read_request(request: IntakeRequest, limit: int) -> TrafficReading:
    """Return what a request contains.

    Args:
        request: the request.
        limit: of the decompressed body, in bytes.

    Raises:
        MalformedBody, BodyTooLarge, InvalidRequest: for a body that cannot be read.
    """
    body = decompress(request.body, limit) if request.is_gzip else request.body
    match request.kind:
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
