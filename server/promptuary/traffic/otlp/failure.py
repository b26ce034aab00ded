"""The answer to a request of OTLP in protobuf that is refused. Every path of the service imports it, and no library."""

PROTOBUF_TYPE = "application/x-protobuf"


def failure_response(message: str) -> bytes:
    """Return the body that refuses a request in protobuf: a `google.rpc.Status` with its message alone, as OTLP/HTTP demands.

    Exporters log the message. The field has number 2, and is a text: its length stands before it.
    """
    text = message.encode("utf-8", "replace")
    return b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    """Return a number in protobuf's base 128, the lowest 7 bits first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
