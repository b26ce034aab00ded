"""Chat messages in OpenAI's form: role, name, parts and tool calls. No image is loaded before somebody presses its button."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from promptuary_ui.components.text import escape_markdown, format_value, shorten_data, show_block

_SHOWN_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}", re.IGNORECASE)
"""Images that the page itself can show: other data could be any document, and the pages load nothing from other servers."""


def show_messages(messages: Sequence[Mapping[str, Any]], key: str) -> None:
    """Show messages, and the placeholders among them.

    Args:
        messages: in OpenAI's form; templates or rendered.
        key: distinguishes their buttons from those of other messages on the page.
    """
    for number, message in enumerate(messages):
        st.caption(_heading(message))
        content = message.get("content")
        if isinstance(content, list):
            for part_number, part in enumerate(content):
                _show_part(part, f"{key}.{number}.{part_number}")
        elif content is not None or not message.get("tool_calls"):
            show_block(content or message.get("name") or ("" if "content" in message else dict(message)))
        for call in message.get("tool_calls") or ():
            function = call.get("function", {})
            st.caption(f"calls {escape_markdown(str(function.get('name')))} · {escape_markdown(str(call.get('id')))}")
            show_block(function.get("arguments", ""))


def _heading(message: Mapping[str, Any]) -> str:
    """Return the role of a message, with its name and the call that it answers."""
    role = str(message.get("role", ""))
    details = [] if role == "placeholder" else [message.get("name"), message.get("tool_call_id")]
    return " · ".join(escape_markdown(str(detail)) for detail in (role, *details) if detail)


def _show_part(part: Mapping[str, Any], key: str) -> None:
    part_type = part.get("type")
    if part_type == "text":
        show_block(part.get("text", ""))
    elif part_type == "image_url":
        _show_image(part.get("image_url", {}), key)
    else:
        value = part.get(str(part_type), part)
        st.caption(escape_markdown({"input_audio": "audio", "file": "file"}.get(str(part_type), str(part_type))))
        show_block(shorten_data(format_value(value)))
    if part.get("cache_control"):
        st.caption(f"cache control: {escape_markdown(format_value(part['cache_control']))}")


def _show_image(image: Mapping[str, Any], key: str) -> None:
    url, detail = str(image.get("url", "")), image.get("detail")
    st.caption("image" + (f" · detail {escape_markdown(str(detail))}" if detail else ""))
    show_block(shorten_data(url))
    if _SHOWN_IMAGE.fullmatch(url):
        if st.button("Show image", key=f"image.{key}", icon=":material/image:"):
            st.image(url)
    elif url.startswith("https://") and "{" not in url:
        st.link_button("Open image at its address", url, icon=":material/open_in_new:")
