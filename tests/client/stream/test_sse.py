"""Server-sent events are read alike however the bytes are cut; the rules are those of the HTML standard, 9.2.6."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.client.stream.sse import EventTooLarge, SseDecoder, SseEvent


def read(*chunks: bytes) -> list[SseEvent]:
    parser = SseDecoder()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def by_the_book(stream: bytes) -> list[SseEvent]:
    """Read a whole stream as the standard words it: decode, cut into lines, and take each."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events, kind, data, last = [], "", "", ""
    for line in re.split(r"\r\n|\r|\n", text)[:-1]:
        if line == "":
            if data != "":
                events.append(SseEvent(kind or "message", data.removesuffix("\n"), last))
            kind, data = "", ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                kind = value
            elif field == "data":
                data += value + "\n"
            elif field == "id" and "\0" not in value:
                last = value
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        # the standard's own examples
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [SseEvent("message", "YHOO\n+2\n10", "")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [
                SseEvent("message", "first event", "1"),
                SseEvent("message", "second event", ""),
                SseEvent("message", " third event", ""),
            ],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [SseEvent("message", "", ""), SseEvent("message", "\n", "")]),
        (b"data:test\n\ndata: test\n\n", [SseEvent("message", "test", "")] * 2),
        # and other cases
        (b"event: a\nid: 7\r\ndata: x\r\n\r\n", [SseEvent("a", "x", "7")]),
        (b"event: a\r\rdata: x\r\r", [SseEvent("message", "x", "")]),
        (b"id: 7\n\ndata: x\n\n", [SseEvent("message", "x", "7")]),
        (b"id: 7\nid: 8\0\ndata: x\n\n", [SseEvent("message", "x", "7")]),
        (b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n", [SseEvent("message", "x", "")]),
        (b"foo: bar\nData: x\n data: y\ndata: z\n\n", [SseEvent("message", "z", "")]),
        (b"data: \xff\xc3\xbc\n\n", [SseEvent("message", "\ufffd\u00fc", "")]),
        (b"data: not whole\n", []),
    ],
)
def test_a_stream_gives_its_events(stream: bytes, events: list[SseEvent]) -> None:
    assert read(stream) == events
    assert read(*(bytes([byte]) for byte in stream)) == events
    assert by_the_book(stream) == events


lines = st.one_of(
    st.sampled_from([b"", b"", b":", b": alive", b"data", b"data:", b"id: 4", b"id: x\0y", b"event: label.moved", b"retry: 9"]),
    st.binary(max_size=6).map(lambda value: b"data: " + value),
    st.binary(max_size=6),
)


@given(st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=30), st.booleans(), st.data())
def test_it_makes_no_difference_where_the_bytes_are_cut(
    parts: list[tuple[bytes, bytes]], mark: bool, data: st.DataObject
) -> None:
    stream = (b"\xef\xbb\xbf" if mark else b"") + b"".join(line + end for line, end in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*chunks) == by_the_book(stream)


@pytest.mark.parametrize(
    ("field", "seconds"), [(b"1000", 1.0), (b"50", 0.05), (b"-1", None), (b"1s", None), (b"", None), (b"9" * 40, None)]
)
def test_the_time_before_a_new_connection_is_read(field: bytes, seconds: float | None) -> None:
    parser = SseDecoder()
    parser.feed(b"retry: " + field + b"\n")
    assert parser.retry == seconds


@pytest.mark.parametrize(
    "piece",
    [b"x", b"data: x\n", b"data:\n", b": x", b"data", b"\xff"],
    ids=["line", "lines", "empty", "comment", "name", "bytes"],
)
def test_an_event_without_end_is_given_up_before_it_fills_the_memory(piece: bytes) -> None:
    parser = SseDecoder(limit=1000)
    with pytest.raises(EventTooLarge):
        list(map(parser.feed, [piece] * 5000))
    assert sum(map(len, parser._data)) + len(parser._line) <= 1000


def test_whole_events_and_comments_do_not_add_up() -> None:
    parser = SseDecoder(limit=100)
    events = [event for _ in range(500) for event in parser.feed(b": alive\ndata: x\n\n")]
    assert len(events) == 500
