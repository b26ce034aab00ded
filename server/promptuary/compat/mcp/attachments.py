"""Images, audio and files of a message as content blocks of the Model Context Protocol. Nothing is fetched."""

import base64
import mimetypes
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

_UNKNOWN_TYPE = "application/octet-stream"
_AUDIO_TYPES = {"mp3": "audio/mpeg"}


def image_block(url: str, *, links: bool) -> dict[str, Any]:
    """Return an image: its data, or a link to an `https:` URL, which is a text where the protocol has no links."""
    if url[:5].lower() == "data:":
        media_type, data = split_data_url(url)
        return {"type": "image", "data": data, "mimeType": media_type}
    if not links:
        return {"type": "text", "text": url}
    name = urlsplit(url).path.rpartition("/")[2] or "image"
    link = {"type": "resource_link", "uri": url, "name": name}
    guessed_type = mimetypes.guess_type(name)[0]
    return {**link, "mimeType": guessed_type} if guessed_type else link


def audio_block(data: str, audio_format: str) -> dict[str, Any]:
    """Return audio, whose data is encoded in base64."""
    return {"type": "audio", "data": data, "mimeType": _AUDIO_TYPES.get(audio_format, f"audio/{audio_format}")}


def file_block(filename: str, data: str) -> dict[str, Any]:
    """Return a file as an embedded resource; its data is encoded in base64, or a `data:` URL."""
    media_type = mimetypes.guess_type(filename)[0] or _UNKNOWN_TYPE
    if data[:5].lower() == "data:":
        media_type, data = split_data_url(data)
    return {"type": "resource", "resource": {"uri": f"file:///{quote(filename)}", "mimeType": media_type, "blob": data}}


def split_data_url(url: str) -> tuple[str, str]:
    """Return the media type of a `data:` URL, and its data in base64."""
    head, _, data = url[len("data:") :].partition(",")
    media_type, *parameters = head.split(";")
    if "base64" not in (parameter.strip().lower() for parameter in parameters):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type or _UNKNOWN_TYPE, data
