"""Untrusted text: what a model or a person wrote never becomes Markdown, HTML or a request for an image."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import streamlit as st

HIDDEN = (
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, except tab and newline
    "\u00ad\u180e\u200b\u2060-\u2065\ufeff"  # without width: soft hyphen, zero-width space, joiners, byte order mark
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of reading, or its shaping
    "\u2028\u2029\ufff9-\ufffb\ufffe\uffff"  # line and paragraph separators, annotations, noncharacters
    "\ud800-\udfff\U000e0000-\U000e007f"  # lone surrogates, and tags, which can carry a whole text unseen
    "]"
)
"""Characters that are invisible or change how text is shown; a copy of `promptuary.prompt.text.HIDDEN`, compared by a test."""
_hidden = re.compile(HIDDEN)
_SHOWN_DATA = 60
_ENCODED_DATA = re.compile(r"(?:data:[^\s,\"]*,)?[A-Za-z0-9+/_-]{300,}={0,2}")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def escape_markdown(text: str) -> str:
    """Escape a text for a place that renders Markdown, such as a button's label; line breaks become spaces."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def escape_hidden(text: str) -> str:
    """Replace each hidden character by its escape, so that texts that differ look different."""
    return _hidden.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def format_value(value: Any) -> str:
    """Return a text unchanged, and any other value as indented JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def shorten_data(text: str) -> str:
    """Return a text with the beginning alone of each long run of encoded data, such as an image, and its length."""
    return _ENCODED_DATA.sub(lambda match: f"{match[0][:_SHOWN_DATA]}… ({len(match[0])} characters)", text)


def show_block(value: Any, *, height: int | None = None) -> None:
    """Show a value in a code block, with a button that copies it."""
    text = format_value(value)
    st.code(text if text else "(empty)", language=None, wrap_lines=True, height=height or "content")


def format_time(timestamp: datetime) -> str:
    """Format a timestamp in UTC, to the minute."""
    return f"{timestamp.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
