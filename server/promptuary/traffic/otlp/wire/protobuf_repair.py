"""A request in protobuf without the spans that the library cannot parse: it refuses a whole request for one text."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

LENGTH_DELIMITED = 2
CONTAINER_FIELD = 2
"""The number of the field with the inner messages, in requests, in groups by resource and in groups by scope alike."""
LEVELS = 3
"""A request contains groups by resource, these contain groups by scope, and these contain spans or log records."""


def without_unreadable(body: bytes, message_type: Any) -> tuple[bytes, int]:
    """Return a request without the spans or log records that cannot be parsed, and their number.

    Args:
        body: of the request.
        message_type: of the request.

    Raises:
        ValueError: for a body that is no protobuf.
    """
    inner_type = message_type.DESCRIPTOR
    for name in _container_names(message_type):
        inner_type = inner_type.fields_by_name[name].message_type
    return _filtered(body, inner_type._concrete_class, LEVELS)


def _container_names(message_type: Any) -> tuple[str, str, str]:
    if "resource_spans" in message_type.DESCRIPTOR.fields_by_name:
        return ("resource_spans", "scope_spans", "spans")
    return ("resource_logs", "scope_logs", "log_records")


def _filtered(message: bytes, item_type: Any, levels: int) -> tuple[bytes, int]:
    """Return a message whose unreadable items, so many levels below, are left out."""
    # Of a request, the groups are field 1; of the groups, the inner ones are field 2.
    number_of_items = 1 if levels == LEVELS else CONTAINER_FIELD
    result, rejected = bytearray(), 0
    for number, wire_type, start, content, end in _fields(message):
        if number != number_of_items or wire_type != LENGTH_DELIMITED:
            result += message[start:end]
            continue
        inner = message[content:end]
        if levels > 1:
            inner, more = _filtered(inner, item_type, levels - 1)
            rejected += more
        elif not _is_readable(inner, item_type):
            rejected += 1
            continue
        result += _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(inner)) + inner
    return bytes(result), rejected


def _is_readable(item: bytes, item_type: Any) -> bool:
    try:
        item_type.FromString(item)
    except (DecodeError, RecursionError):
        return False
    return True


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield each field: number, wire type, and where it, its content and the next one begin."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _read_varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        content = position
        if wire_type == 0:
            _, position = _read_varint(message, position)
        elif wire_type == 1:
            position += 8
        elif wire_type == LENGTH_DELIMITED:
            length, content = _read_varint(message, position)
            position = content + length
        elif wire_type == 5:
            position += 4
        else:
            raise ValueError("a field of an unknown wire type")
        if position > len(message) or not number:
            raise ValueError("a field that ends behind its message")
        yield number, wire_type, start, content, position


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70 and position < len(message):
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise ValueError("a number that does not end")


def _varint(value: int) -> bytes:
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    result.append(value)
    return bytes(result)
